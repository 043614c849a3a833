;@book crypto
;@facts balance
;
; Advice on a person's positions: 23 codes that clients of the risk endpoint know, and four of our own (;@quiet).
; Shares are fractions of the balance. Thresholds: > is strict, <= and >= include the limit.
; A rule that needs a number has no opinion where it is nil; what could not be judged is told beside the findings.

; --- size -------------------------------------------------------------------------------------------------------

;@id position-oversized
;@severity block
;@text {name} would tie up {value:%} % of the account. Your own limit for one position is {limit:%} %.
;@against position-not-oversized
;@test (person (diversification 0.2)) (position (check TRUE) (weight 0.2000001)) => fires
;@test (person (diversification 0.2)) (position (check TRUE) (weight 0.2)) => silent
;@test (person (diversification 0.2)) (position (check FALSE) (weight 0.9)) => silent
(defrule position-oversized
  (person (diversification ?limit&~nil))
  (position (n ?n) (check TRUE) (weight ?weight&~nil))
  (test (> ?weight ?limit))
  =>
  (assert (finding (rule position-oversized) (n ?n) (value ?weight) (limit ?limit))))

;@id position-not-oversized
;@severity info
;@text {name} ties up {value:%} % of the account, within your limit of {limit:%} % for one position.
;@test (person (diversification 0.2)) (position (check TRUE) (weight 0.2)) => fires
;@test (person (diversification 0.2)) (position (check TRUE) (weight 0.2000001)) => silent
(defrule position-not-oversized
  (person (diversification ?limit&~nil))
  (position (n ?n) (check TRUE) (weight ?weight&~nil))
  (test (<= ?weight ?limit))
  =>
  (assert (finding (rule position-not-oversized) (n ?n) (value ?weight) (limit ?limit))))

;@id position-double-crypto
;@severity info
;@text You already hold {amount} of {deal}; this order adds to it.
;@test (position (deal "BTC") (check TRUE)) (position (deal "BTC") (check FALSE) (quantity 2)) => fires
;@test (position (deal "BTC") (check TRUE)) (position (deal "ETH") (check FALSE) (quantity 2)) => silent
;@test (position (deal "BTC") (check TRUE)) (position (deal "BTC") (check TRUE) (quantity 2)) => silent
(defrule position-double-crypto
  (position (n ?n) (check TRUE) (deal ?deal&~""))
  (position (n ?held) (check FALSE) (deal ?deal) (quantity ?quantity))
  =>
  (assert (finding (rule position-double-crypto) (n ?n) (other ?held) (amount ?quantity))))

;@id position-double-weight
;@severity block
;@text With what you hold already, {deal} would be {value:%} % of the account. Your limit is {limit:%} %.
;@test (person (diversification 0.5)) (position (deal "A") (check TRUE) (weight 0.3)) (position (deal "A") (check FALSE) (weight 0.21)) => fires
;@test (person (diversification 0.5)) (position (deal "A") (check TRUE) (weight 0.25)) (position (deal "A") (check FALSE) (weight 0.25)) => silent
(defrule position-double-weight
  (person (diversification ?limit&~nil))
  (position (n ?n) (check TRUE) (deal ?deal&~"") (weight ?weight&~nil))
  (position (n ?held) (check FALSE) (deal ?deal) (weight ?more&~nil))
  (test (> (+ ?weight ?more) ?limit))
  =>
  (assert (finding (rule position-double-weight) (n ?n) (other ?held) (value (+ ?weight ?more)) (limit ?limit))))

; --- correlation: one fact `pair` for each pair with a checked position; 0.65 is strict ----------------------------

;@id position-positive-same-corr
;@severity warn
;@text {name} and {other} tend to move together (correlation {value}) and both positions point the same way: gains and losses come at once.
;@against position-positive-oposite-corr
;@test (pair (other 1) (correlation 0.6501) (same-side TRUE)) => fires
;@test (pair (other 1) (correlation 0.65) (same-side TRUE)) => silent
;@test (pair (other 1) (correlation 0.9) (same-side FALSE)) => silent
(defrule position-positive-same-corr
  (pair (n ?n) (other ?other) (correlation ?c&~nil) (same-side TRUE))
  (test (> ?c 0.65))
  =>
  (assert (finding (rule position-positive-same-corr) (n ?n) (other ?other) (value ?c) (limit 0.65))))

;@id position-positive-oposite-corr
;@severity info
;@text {name} and {other} tend to move together (correlation {value}) and the positions point opposite ways: they hedge each other, and limit what either can earn.
;@test (pair (other 1) (correlation 0.6501) (same-side FALSE)) => fires
;@test (pair (other 1) (correlation 0.65) (same-side FALSE)) => silent
(defrule position-positive-oposite-corr
  (pair (n ?n) (other ?other) (correlation ?c&~nil) (same-side FALSE))
  (test (> ?c 0.65))
  =>
  (assert (finding (rule position-positive-oposite-corr) (n ?n) (other ?other) (value ?c) (limit 0.65))))

;@id position-negative-same-corr
;@severity info
;@text {name} and {other} tend to move against each other (correlation {value}) and both positions point the same way: they hedge each other, and limit what either can earn.
;@against position-negative-oposite-corr
;@test (pair (other 1) (correlation -0.6501) (same-side TRUE)) => fires
;@test (pair (other 1) (correlation -0.65) (same-side TRUE)) => silent
(defrule position-negative-same-corr
  (pair (n ?n) (other ?other) (correlation ?c&~nil) (same-side TRUE))
  (test (< ?c -0.65))
  =>
  (assert (finding (rule position-negative-same-corr) (n ?n) (other ?other) (value ?c) (limit -0.65))))

;@id position-negative-oposite-corr
;@severity warn
;@text {name} and {other} tend to move against each other (correlation {value}) and the positions point opposite ways: gains and losses come at once.
;@test (pair (other 1) (correlation -0.6501) (same-side FALSE)) => fires
;@test (pair (other 1) (correlation -0.65) (same-side FALSE)) => silent
(defrule position-negative-oposite-corr
  (pair (n ?n) (other ?other) (correlation ?c&~nil) (same-side FALSE))
  (test (< ?c -0.65))
  =>
  (assert (finding (rule position-negative-oposite-corr) (n ?n) (other ?other) (value ?c) (limit -0.65))))

; --- sentiment and volatility ---------------------------------------------------------------------------------------

;@id position-counter-sentiment
;@severity warn
;@text {name} goes against the mood of the market on the {timeframe} chart.
;@test (person (timeframe DAY)) (position (check TRUE) (side BUY)) (indicator (sentiment bearish)) => fires
;@test (person (timeframe DAY)) (position (check TRUE) (side SELL)) (indicator (sentiment bullish)) => fires
;@test (person (timeframe DAY)) (position (check TRUE) (side BUY)) (indicator (sentiment bullish)) => silent
;@test (person) (position (check TRUE) (side BUY)) (indicator (sentiment bearish)) => silent
(defrule position-counter-sentiment
  (person (timeframe ~nil))
  (or (and (position (n ?n) (check TRUE) (side BUY)) (exists (indicator (n ?n) (sentiment bearish))))
      (and (position (n ?n) (check TRUE) (side SELL)) (exists (indicator (n ?n) (sentiment bullish)))))
  =>
  (assert (finding (rule position-counter-sentiment) (n ?n))))

;@id position-volatility-high
;@severity warn
;@text The price range of {name} is {value} % wider than usual: large moves are more likely now.
;@against position-volatility-low
;@test (position (check TRUE) (bandwidth 40.0001)) => fires
;@test (position (check TRUE) (bandwidth 40)) => silent
(defrule position-volatility-high
  (position (n ?n) (check TRUE) (bandwidth ?width&~nil))
  (test (> ?width 40))
  =>
  (assert (finding (rule position-volatility-high) (n ?n) (value ?width) (limit 40.0))))

;@id position-volatility-low
;@severity info
;@text The price range of {name} is far narrower than usual ({value} %); the longer that lasts, the likelier a sudden move.
;@test (position (check TRUE) (bandwidth -40.0001)) => fires
;@test (position (check TRUE) (bandwidth -40)) => silent
(defrule position-volatility-low
  (position (n ?n) (check TRUE) (bandwidth ?width&~nil))
  (test (< ?width -40))
  =>
  (assert (finding (rule position-volatility-low) (n ?n) (value ?width) (limit -40.0))))

; --- held positions: what they have lost or gained ------------------------------------------------------------------

;@id position-risk-limit
;@severity warn
;@text {name} has lost {amount} so far, more than the {limit:%} % of the account you allow a single trade.
;@against position-ok-risk-limit
;@test (person (risk 0.02)) (position (check TRUE) (asked FALSE) (loss 3) (loss-share 0.0200001)) => fires
;@test (person (risk 0.02)) (position (check TRUE) (asked FALSE) (loss 3) (loss-share 0.02)) => silent
(defrule position-risk-limit
  (person (risk ?limit&~nil))
  (position (n ?n) (check TRUE) (asked FALSE) (loss ?loss) (loss-share ?share&~nil))
  (test (> ?share ?limit))
  =>
  (assert (finding (rule position-risk-limit) (n ?n) (value ?share) (limit ?limit) (amount ?loss))))

;@id position-ok-risk-limit
;@severity info
;@text {name} has lost {amount} so far, within the {limit:%} % of the account you allow a single trade.
;@test (person (risk 0.02)) (position (check TRUE) (asked FALSE) (loss 3) (loss-share 0.02)) => fires
;@test (person (risk 0.02)) (position (check TRUE) (asked FALSE) (loss 3) (loss-share 0.0200001)) => silent
(defrule position-ok-risk-limit
  (person (risk ?limit&~nil))
  (position (n ?n) (check TRUE) (asked FALSE) (loss ?loss) (loss-share ?share&~nil))
  (test (<= ?share ?limit))
  =>
  (assert (finding (rule position-ok-risk-limit) (n ?n) (value ?share) (limit ?limit) (amount ?loss))))

;@id position-low-risk-reward
;@severity info
;@text {name} has gained {amount} so far, still less than your target of {limit} times the loss you allow a trade.
;@against position-ok-risk-reward
;@against position-high-risk-reward
;@test (person (reward 2)) (position (check TRUE) (asked FALSE) (gain 5) (gain-ratio 1.5999)) => fires
;@test (person (reward 2)) (position (check TRUE) (asked FALSE) (gain 5) (gain-ratio 1.6)) => silent
(defrule position-low-risk-reward
  (person (reward ?r&~nil))
  (position (n ?n) (check TRUE) (asked FALSE) (gain ?gain) (gain-ratio ?ratio&~nil))
  (test (< ?ratio (* 0.8 ?r)))
  =>
  (assert (finding (rule position-low-risk-reward) (n ?n) (value ?ratio) (limit ?r) (amount ?gain))))

;@id position-ok-risk-reward
;@severity info
;@text {name} has gained {amount} so far, about your target of {limit} times the loss you allow a trade.
;@against position-high-risk-reward
;@test (person (reward 2)) (position (check TRUE) (asked FALSE) (gain 5) (gain-ratio 1.6)) => fires
;@test (person (reward 2)) (position (check TRUE) (asked FALSE) (gain 5) (gain-ratio 2.4)) => fires
;@test (person (reward 2)) (position (check TRUE) (asked FALSE) (gain 5) (gain-ratio 1.5999)) => silent
;@test (person (reward 2)) (position (check TRUE) (asked FALSE) (gain 5) (gain-ratio 2.4001)) => silent
(defrule position-ok-risk-reward
  (person (reward ?r&~nil))
  (position (n ?n) (check TRUE) (asked FALSE) (gain ?gain) (gain-ratio ?ratio&~nil))
  (test (and (>= ?ratio (* 0.8 ?r)) (<= ?ratio (* 1.2 ?r))))
  =>
  (assert (finding (rule position-ok-risk-reward) (n ?n) (value ?ratio) (limit ?r) (amount ?gain))))

;@id position-high-risk-reward
;@severity info
;@text {name} has gained {amount} so far, more than your target of {limit} times the loss you allow a trade.
;@test (person (reward 2)) (position (check TRUE) (asked FALSE) (gain 5) (gain-ratio 2.4001)) => fires
;@test (person (reward 2)) (position (check TRUE) (asked FALSE) (gain 5) (gain-ratio 2.4)) => silent
(defrule position-high-risk-reward
  (person (reward ?r&~nil))
  (position (n ?n) (check TRUE) (asked FALSE) (gain ?gain) (gain-ratio ?ratio&~nil))
  (test (> ?ratio (* 1.2 ?r)))
  =>
  (assert (finding (rule position-high-risk-reward) (n ?n) (value ?ratio) (limit ?r) (amount ?gain))))

; --- orders about to be opened: stop, target, and what one pays for the other ----------------------------------------

;@id position-stop-loss
;@severity warn
;@text {name} has no stop: nothing limits what this order can lose.
;@test (position (check TRUE) (asked TRUE)) => fires
;@test (position (check TRUE) (asked TRUE) (stop 90)) => silent
;@test (position (check TRUE) (asked FALSE)) => silent
(defrule position-stop-loss
  (position (n ?n) (check TRUE) (asked TRUE) (stop nil))
  =>
  (assert (finding (rule position-stop-loss) (n ?n))))

;@id position-take-profit
;@severity info
;@text {name} has no take-profit price: decide now where you would be content to leave.
;@test (position (check TRUE) (asked TRUE)) => fires
;@test (position (check TRUE) (asked TRUE) (limit 110)) => silent
(defrule position-take-profit
  (position (n ?n) (check TRUE) (asked TRUE) (limit nil))
  =>
  (assert (finding (rule position-take-profit) (n ?n))))

;@id position-risk-limit-two
;@severity block
;@text From the opening price of {name} to its stop lie {value:%} % of the account. You allow a single trade {limit:%} %.
;@against position-ok-risk-limit-two
;@test (person (risk 0.02)) (position (check TRUE) (asked TRUE) (stop 90) (stop-risk 0.0200001)) => fires
;@test (person (risk 0.02)) (position (check TRUE) (asked TRUE) (stop 90) (stop-risk 0.02)) => silent
(defrule position-risk-limit-two
  (person (risk ?limit&~nil))
  (position (n ?n) (check TRUE) (asked TRUE) (stop-risk ?share&~nil))
  (test (> ?share ?limit))
  =>
  (assert (finding (rule position-risk-limit-two) (n ?n) (value ?share) (limit ?limit))))

;@id position-ok-risk-limit-two
;@severity info
;@text If its stop is met, {name} loses {value:%} % of the account, within the {limit:%} % you allow a single trade.
;@test (person (risk 0.02)) (position (check TRUE) (asked TRUE) (stop-side right) (stop-risk 0.02)) => fires
;@test (person (risk 0.02)) (position (check TRUE) (asked TRUE) (stop-side right) (stop-risk 0.0200001)) => silent
;@test (person (risk 0.02)) (position (check TRUE) (asked TRUE) (stop-side wrong) (stop-risk 0.01)) => silent
(defrule position-ok-risk-limit-two
  (person (risk ?limit&~nil))
  (position (n ?n) (check TRUE) (asked TRUE) (stop-side ~wrong) (stop-risk ?share&~nil))
  (test (<= ?share ?limit))
  =>
  (assert (finding (rule position-ok-risk-limit-two) (n ?n) (value ?share) (limit ?limit))))

;@id position-low-risk-reward-two
;@severity warn
;@text {name} stands to gain {value} times what it risks, clearly less than the {limit} you aim for.
;@against position-ok-risk-reward-two
;@against position-high-risk-reward-two
;@test (person (reward 2)) (position (check TRUE) (asked TRUE) (reward-risk 1.5999)) => fires
;@test (person (reward 2)) (position (check TRUE) (asked TRUE) (reward-risk 1.6)) => silent
(defrule position-low-risk-reward-two
  (person (reward ?r&~nil))
  (position (n ?n) (check TRUE) (asked TRUE) (reward-risk ?ratio&~nil))
  (test (< ?ratio (* 0.8 ?r)))
  =>
  (assert (finding (rule position-low-risk-reward-two) (n ?n) (value ?ratio) (limit ?r))))

;@id position-ok-risk-reward-two
;@severity info
;@text {name} stands to gain {value} times what it risks, about the {limit} you aim for.
;@against position-high-risk-reward-two
;@test (person (reward 2)) (position (check TRUE) (asked TRUE) (reward-risk 1.6)) => fires
;@test (person (reward 2)) (position (check TRUE) (asked TRUE) (reward-risk 2.4)) => fires
;@test (person (reward 2)) (position (check TRUE) (asked TRUE) (reward-risk 1.5999)) => silent
;@test (person (reward 2)) (position (check TRUE) (asked TRUE) (reward-risk 2.4001)) => silent
(defrule position-ok-risk-reward-two
  (person (reward ?r&~nil))
  (position (n ?n) (check TRUE) (asked TRUE) (reward-risk ?ratio&~nil))
  (test (and (>= ?ratio (* 0.8 ?r)) (<= ?ratio (* 1.2 ?r))))
  =>
  (assert (finding (rule position-ok-risk-reward-two) (n ?n) (value ?ratio) (limit ?r))))

;@id position-high-risk-reward-two
;@severity info
;@text {name} stands to gain {value} times what it risks, clearly more than the {limit} you aim for; is the target within reach?
;@test (person (reward 2)) (position (check TRUE) (asked TRUE) (reward-risk 2.4001)) => fires
;@test (person (reward 2)) (position (check TRUE) (asked TRUE) (reward-risk 2.4)) => silent
(defrule position-high-risk-reward-two
  (person (reward ?r&~nil))
  (position (n ?n) (check TRUE) (asked TRUE) (reward-risk ?ratio&~nil))
  (test (> ?ratio (* 1.2 ?r)))
  =>
  (assert (finding (rule position-high-risk-reward-two) (n ?n) (value ?ratio) (limit ?r))))

; --- our own codes: what cannot be ------------------------------------------------------------------------------------

;@id position-impossible-stop
;@severity block
;@quiet
;@text The stop of {name} is on the wrong side of its opening price: it would be met at once.
;@test (position (check TRUE) (asked TRUE) (stop-side wrong)) => fires
;@test (position (check TRUE) (asked TRUE) (stop-side right)) => silent
(defrule position-impossible-stop
  (position (n ?n) (check TRUE) (asked TRUE) (stop-side wrong) (stop ?stop) (opening ?opening))
  =>
  (assert (finding (rule position-impossible-stop) (n ?n) (value ?stop) (limit ?opening))))

;@id position-impossible-limit
;@severity block
;@quiet
;@text The take-profit price of {name} is on the wrong side of its opening price: it would be met at once, at a loss.
;@test (position (check TRUE) (asked TRUE) (limit-side wrong)) => fires
;@test (position (check TRUE) (asked TRUE) (limit-side right)) => silent
(defrule position-impossible-limit
  (position (n ?n) (check TRUE) (asked TRUE) (limit-side wrong) (limit ?limit) (opening ?opening))
  =>
  (assert (finding (rule position-impossible-limit) (n ?n) (value ?limit) (limit ?opening))))

;@id account-no-balance
;@severity block
;@quiet
;@text The account has no balance, so no share of it can be risked.
;@test (person (balance 0)) => fires
;@test (person (balance -5)) => fires
;@test (person (balance 0.01)) => silent
;@test (person) => silent
(defrule account-no-balance
  (person (balance ?balance&~nil))
  (test (<= ?balance 0))
  =>
  (assert (finding (rule account-no-balance) (value ?balance) (limit 0.0))))

;@id account-unknown-timeframe
;@severity info
;@quiet
;@text The timeframe {timeframe} is not one of DAY, HOUR, HOUR_4 and MINUTE_15; risks are judged all the same.
;@test (person (timeframe WEEK) (known-timeframe FALSE)) => fires
;@test (person (timeframe DAY) (known-timeframe TRUE)) => silent
(defrule account-unknown-timeframe
  (person (known-timeframe FALSE))
  =>
  (assert (finding (rule account-unknown-timeframe))))
