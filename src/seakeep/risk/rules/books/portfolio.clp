;@book portfolio
;@facts portfolio
;
; What the gate's limits do not say: circumstances in which an addition is unwise although every number is in bounds.
; Reductions pass whatever is written here. Fractions of equity unless said otherwise; a number that is nil is unknown.

;@id flip_in_drawdown
;@severity block
;@text Turning {name} over while the account is {value:%} % below its peak: close it, and wait.
;@test (account (drawdown 0.11)) (candidate (flips TRUE)) => fires
;@test (account (drawdown 0.1)) (candidate (flips TRUE)) => silent
;@test (account (drawdown 0.5)) (candidate (flips FALSE)) => silent
(defrule flip_in_drawdown
  (account (drawdown ?drawdown&~nil))
  (candidate (n ?n) (flips TRUE))
  (test (> ?drawdown 0.10))
  =>
  (assert (finding (rule flip_in_drawdown) (n ?n) (value ?drawdown) (limit 0.10))))

;@id ruin_likely
;@severity block
;@text The chance of ruin is put at {value:%} %; nothing is added above {limit:%} %.
;@test (account (p-ruin 0.011)) (candidate (adds TRUE)) => fires
;@test (account (p-ruin 0.01)) (candidate (adds TRUE)) => silent
;@test (account) (candidate (adds TRUE)) => silent
(defrule ruin_likely
  (account (p-ruin ?p&~nil))
  (candidate (n ?n) (adds TRUE))
  (test (> ?p 0.01))
  =>
  (assert (finding (rule ruin_likely) (n ?n) (value ?p) (limit 0.01))))

;@id wide_spread
;@severity block
;@text The spread of {name} is {value:%} % of its price: nobody is making a market.
;@test (candidate (adds TRUE)) (market (spread 0.0101)) => fires
;@test (candidate (adds TRUE)) (market (spread 0.01)) => silent
;@test (candidate (adds FALSE)) (market (spread 0.5)) => silent
(defrule wide_spread
  (candidate (n ?n) (adds TRUE))
  (market (n ?n) (spread ?spread&~nil))
  (test (> ?spread 0.01))
  =>
  (assert (finding (rule wide_spread) (n ?n) (value ?spread) (limit 0.01))))

;@id wild_market
;@severity resize
;@text {name} moves {value} times as much a day as it may for a full position; half the weight is enough.
;@test (candidate (adds TRUE) (target 0.1)) (market (volatility 0.1001)) => fires
;@test (candidate (adds TRUE) (target -0.1)) (market (volatility 0.2)) => fires
;@test (candidate (adds TRUE) (target 0.1)) (market (volatility 0.1)) => silent
;@test (candidate (adds TRUE) (target 0.05)) (market (volatility 0.2)) => silent
(defrule wild_market
  (candidate (n ?n) (adds TRUE) (target ?target&~nil))
  (market (n ?n) (volatility ?volatility&~nil))
  (test (and (> ?volatility 0.10) (> (abs ?target) 0.05)))
  =>
  (assert (finding (rule wild_market) (n ?n) (value (/ ?volatility 0.10)) (limit 0.05))))

;@id stop_in_noise
;@severity warn
;@text The stop of {name} is nearer ({value:%} %) than half of a usual day's move ({limit:%} %): noise will meet it.
;@test (candidate (adds TRUE) (stop-distance 0.0149)) (market (volatility 0.03)) => fires
;@test (candidate (adds TRUE) (stop-distance 0.015)) (market (volatility 0.03)) => silent
;@test (candidate (adds TRUE)) (market (volatility 0.03)) => silent
(defrule stop_in_noise
  (candidate (n ?n) (adds TRUE) (stop-distance ?stop&~nil))
  (market (n ?n) (volatility ?volatility&~nil))
  (test (< ?stop (* 0.5 ?volatility)))
  =>
  (assert (finding (rule stop_in_noise) (n ?n) (value ?stop) (limit (* 0.5 ?volatility)))))

;@id no_stop_on_margin
;@severity warn
;@text {name} is bought on margin without a stop: the venue's liquidation is the stop.
;@test (candidate (adds TRUE) (margined TRUE)) => fires
;@test (candidate (adds TRUE) (margined TRUE) (stop-distance 0.05)) => silent
;@test (candidate (adds TRUE) (margined FALSE)) => silent
(defrule no_stop_on_margin
  (candidate (n ?n) (adds TRUE) (margined TRUE) (stop-distance nil))
  =>
  (assert (finding (rule no_stop_on_margin) (n ?n))))

;@id twin_positions
;@severity warn
;@text {name} moves like what is held already (correlation {value}); the two together are one bet.
;@test (candidate (adds TRUE)) (pair (correlation 0.9001) (same-side TRUE)) => fires
;@test (candidate (adds TRUE)) (pair (correlation 0.9) (same-side TRUE)) => silent
;@test (candidate (adds TRUE)) (pair (correlation 0.95) (same-side FALSE)) => silent
(defrule twin_positions
  (candidate (n ?n) (adds TRUE))
  (pair (n ?n) (correlation ?c&~nil) (same-side TRUE))
  (test (> ?c 0.90))
  =>
  (assert (finding (rule twin_positions) (n ?n) (value ?c) (limit 0.90))))

;@id against_the_mood
;@severity warn
;@text {name}: what is written about it says the opposite (score {value}).
;@test (candidate (adds TRUE) (side BUY)) (sentiment (score -0.51) (confidence 0.6)) => fires
;@test (candidate (adds TRUE) (side SELL)) (sentiment (score 0.51) (confidence 0.6)) => fires
;@test (candidate (adds TRUE) (side BUY)) (sentiment (score -0.5) (confidence 0.6)) => silent
;@test (candidate (adds TRUE) (side BUY)) (sentiment (score -0.9) (confidence 0.4)) => silent
(defrule against_the_mood
  (candidate (n ?n) (adds TRUE) (side ?side))
  (sentiment (n ?n) (score ?score&~nil) (confidence ?confidence&~nil))
  (test (>= ?confidence 0.5))
  (test (or (and (eq ?side BUY) (< ?score -0.5)) (and (eq ?side SELL) (> ?score 0.5))))
  =>
  (assert (finding (rule against_the_mood) (n ?n) (value ?score) (limit 0.5))))

;@id adding_to_a_loser
;@severity warn
;@text {name} stands {value:%} % below cost and would be made larger.
;@test (candidate (adds TRUE) (held 0.02) (target 0.05) (pnl -0.11)) => fires
;@test (candidate (adds TRUE) (held 0.02) (target 0.05) (pnl -0.1)) => silent
;@test (candidate (adds TRUE) (held 0.02) (target -0.05) (pnl -0.2)) => silent
(defrule adding_to_a_loser
  (candidate (n ?n) (adds TRUE) (held ?held&~nil) (target ?target&~nil) (pnl ?pnl&~nil))
  (test (and (> (* ?held ?target) 0) (< ?pnl -0.10)))
  =>
  (assert (finding (rule adding_to_a_loser) (n ?n) (value ?pnl) (limit -0.10))))

;@id experts_silent
;@severity warn
;@text An expert behind {name} answered only {value:%} % of the time lately.
;@test (candidate (adds TRUE)) (model (share 0.49)) => fires
;@test (candidate (adds TRUE)) (model (share 0.5)) => silent
(defrule experts_silent
  (candidate (n ?n) (adds TRUE))
  (model (n ?n) (share ?share&~nil))
  (test (< ?share 0.5))
  =>
  (assert (finding (rule experts_silent) (n ?n) (value ?share) (limit 0.5))))

;@id poor_bargain
;@severity info
;@text {name} may gain {value} times what its stop may lose.
;@test (candidate (adds TRUE) (reward-risk 0.99)) => fires
;@test (candidate (adds TRUE) (reward-risk 1)) => silent
(defrule poor_bargain
  (candidate (n ?n) (adds TRUE) (reward-risk ?ratio&~nil))
  (test (< ?ratio 1))
  =>
  (assert (finding (rule poor_bargain) (n ?n) (value ?ratio) (limit 1.0))))
