"""The kernel beside its peers: one pass, a sweep of 1,000 parameter sets, cold starts, several symbols, threads.

    SEAKEEP_VECTORBT=PYTHON_WITH_VECTORBT .venv/bin/python benchmarks/kernel.py

The work is that of every peer: a cross of the averages of 20 and 50 closes, long only, whole equity, 0.02 % fee, 2 %
stop. Peers run in turn with us, round by round, in CPU seconds of their own process: backtesting.py here, vectorbt in
the Python that the variable names. Of vectorbt the whole sweep is run once, in chunks of 50 as its memory asks for, and
compared wall to wall; `--quick` scales it from two chunks, which leaves out much of what the whole costs it. What is
absent is named. Goals are those of a quiet machine; a busy one makes the clock's figures longer.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np

BARS, LONG, RUNS, CHUNK = 100_000, 1_000_000, 1_000, 50
FAST, SLOW, FEE, STOP, CASH = 20, 50, 0.0002, 0.02, 1_000_000.0
ROUNDS = 5
Rows = dict[str, np.ndarray]
Ask = Callable[..., dict[str, float]]


def bars(n: int, seed: int = 7) -> Rows:
    """Minute bars of a walk; each opens at the close before."""
    draw = np.random.Generator(np.random.PCG64(seed))
    close = 100 * np.exp(np.cumsum(8e-4 * draw.standard_normal(n)))
    before = np.concatenate([[100.0], close[:-1]])
    wick = np.abs(draw.standard_normal((2, n))) * 4e-4
    high, low = np.maximum(before, close) * (1 + wick[0]), np.minimum(before, close) * (1 - wick[1])
    return {"open": before, "high": high, "low": low, "close": close, "volume": np.full(n, 1e9)}


def grid() -> tuple[np.ndarray, np.ndarray]:
    """1,000 pairs of averages."""
    fast, slow = np.meshgrid(np.arange(5, 45), np.arange(50, 300, 10))
    return fast.ravel()[:RUNS], slow.ravel()[:RUNS]


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


# --- vectorbt, in a process of its own


def serve_vectorbt() -> None:
    """Answer each line "n" with what one pass takes, and "n p q" with what the chunks [p, q) of 50 runs take."""
    import pandas as pd
    import vectorbt as vbt

    def price(n: int) -> dict[str, Any]:
        index = pd.date_range("2025-01-01", periods=n, freq="min")
        return {name: pd.Series(column, index) for name, column in bars(n).items()}

    def run(p: dict[str, Any], fast: Any, slow: Any) -> tuple[Any, ...]:
        quick, long = vbt.MA.run(p["close"], fast, short_name="f"), vbt.MA.run(p["close"], slow, short_name="s")
        up, down = quick.ma_crossed_above(long), quick.ma_crossed_below(long)
        ohl = {name: p[name] for name in ("open", "high", "low")}
        made = vbt.Portfolio.from_signals(
            p["close"], up, down, **ohl, fees=FEE, sl_stop=STOP, init_cash=CASH, freq="1min"
        )
        return made.final_value(), made.trades.count(), made.max_drawdown(), made.sharpe_ratio()

    known = {n: price(n) for n in (BARS, LONG)}
    fast, slow = grid()

    def answer(n: int, chunks: list[int]) -> None:
        if not chunks:
            run(known[n], FAST, SLOW)
        for chunk in range(*(chunks or (0,))):
            part = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
            run(known[n], fast[part], slow[part])

    answer(BARS, [])
    answer(BARS, [0, 1])
    print("ready", flush=True)
    for line in sys.stdin:
        n, *chunks = map(int, line.split())
        start, spent = time.perf_counter(), time.process_time()
        answer(n, chunks)
        print(json.dumps(taken(start, spent)), flush=True)


def taken(start: float, spent: float) -> dict[str, float]:
    """Wall and CPU seconds since these instants, and the peak memory of this process."""
    mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"wall": time.perf_counter() - start, "cpu": time.process_time() - spent, "mb": mb}


@contextmanager
def vectorbt() -> Iterator[Ask | None]:
    """A function of the numbers of a line to what they take; None where no Python with vectorbt is named."""
    python = os.environ.get("SEAKEEP_VECTORBT")
    if not python:
        print("vectorbt: absent (name a Python that has it in SEAKEEP_VECTORBT)")
        yield None
        return
    command = [python, "-W", "ignore", __file__, "--serve-vectorbt"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        speak, listen = child.stdin, child.stdout
        assert speak is not None
        assert listen is not None
        _until_ready(listen)

        def ask(*numbers: int) -> dict[str, float]:
            speak.write(" ".join(map(str, numbers)) + "\n")
            speak.flush()
            found: dict[str, float] = json.loads(listen.readline())
            return found

        yield ask
        speak.close()


def _until_ready(listen: IO[str]) -> None:
    for line in listen:
        if line.strip() == "ready":
            return
    raise SystemExit("the Python in SEAKEEP_VECTORBT has no working vectorbt")


# --- backtesting.py, here


def backtesting_py(rows: Rows) -> Callable[[], object] | None:
    """The same run; None where it is not installed."""
    if find_spec("backtesting") is None:
        print("backtesting.py: absent (pip install backtesting==0.6.6)")
        return None
    warnings.simplefilter("ignore")
    import backtesting
    import pandas as pd

    backtesting.backtesting._tqdm = lambda rows, **_: rows  # noqa: SLF001

    def average(x: Any, n: int) -> Any:
        return pd.Series(x).rolling(n).mean()

    class Cross(backtesting.Strategy):  # type: ignore[misc]
        def init(self) -> None:
            self.fast, self.slow = (self.I(average, self.data.Close, n) for n in (FAST, SLOW))

        def next(self) -> None:
            now, before = self.fast[-1] > self.slow[-1], self.fast[-2] > self.slow[-2]
            if now and not before and not self.position:
                self.buy(sl=self.data.Close[-1] * (1 - STOP))
            elif before and not now and self.position:
                self.position.close()

    index = pd.date_range("2025-01-01", periods=len(rows["close"]), freq="min")
    table = pd.DataFrame({name.title(): column for name, column in rows.items()}, index)
    return backtesting.Backtest(table, Cross, cash=CASH, commission=FEE, finalize_trades=True).run


# --- ours


def market(n: int, count: int = 1) -> tuple[Any, Any]:
    """History of `count` symbols and the terms of a run on them."""
    from decimal import Decimal

    from seakeep.backtest.kernel.simulator import History, KernelParams
    from seakeep.brokers.sim import SimParams
    from seakeep.core.market import BarFrame, Instrument
    from seakeep.execution.costs import CostParams
    from seakeep.risk.stops import StopParams

    names = [f"S{j}/USDT" for j in range(count)]
    ts = np.arange(n, dtype=np.int64) * 60_000
    frames = [BarFrame(name, "1m", ts, *bars(n, 7 + j).values()) for j, name in enumerate(names)]
    step = Decimal("0.00000001")
    rules = {
        name: Instrument(
            symbol=name,
            base=name[:-5],
            quote="USDT",
            tick=step,
            lot=step,
            taker_fee=Decimal(str(FEE)),
            min_notional=Decimal(0),
        )
        for name in names
    }
    params = KernelParams(
        instruments=rules,
        cash=Decimal(int(CASH)),
        weight=1.0 / count,
        stops=StopParams(stop_loss=STOP),
        costs=CostParams(half_spread_bps=0, temporary=0, permanent=0),
        sim=SimParams(participation=1.0),
    )
    return History.of(frames), params


def child(name: str, cache: str | None = None) -> dict[str, float]:
    """What a fresh process says of itself; `cache` is where it keeps compiled code."""
    environment = os.environ | ({"NUMBA_CACHE_DIR": cache} if cache else {})
    command = [sys.executable, __file__, "--child", name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def be_child(name: str) -> None:
    """One pass, or the whole sweep, from nothing; CPU and wall seconds since the start, and peak memory."""
    from seakeep.backtest.kernel.sweep import Cross, sweep

    history, params = market(BARS)
    fast, slow = grid() if name == "sweep" else (np.array([FAST]), np.array([SLOW]))
    start = time.perf_counter()
    table = sweep(history, Cross(fast, slow), params)
    print(
        json.dumps(
            {
                "cpu": time.process_time(),
                "wall": time.perf_counter() - start,
                "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "trades": float(table["trades"].sum()),
            }
        )
    )


def line(what: str, value: str, goal: str = "", met: bool | None = None) -> None:
    print(f"{what:58} {value:>22}  {goal}{'' if met is None else ': met' if met else ': MISSED'}")


def passes(ask: Ask | None) -> None:
    """One pass in turn with the peers; on one thread, because an idle one would be counted as it waits."""
    import numba

    from seakeep.backtest.kernel.simulator import simulate
    from seakeep.backtest.kernel.sweep import Cross, sweep

    numba.set_num_threads(1)
    for n in (BARS, LONG):
        history, params = market(n)
        rule, peer = Cross(np.array([FAST]), np.array([SLOW])), backtesting_py(bars(n)) if n == BARS else None
        table = sweep(history, rule, params)
        rounds = [
            (
                cpu(lambda h=history, r=rule, p=params: sweep(h, r, p)),  # type: ignore[misc]
                None if ask is None else ask(n)["cpu"],
                None if peer is None or i >= 2 else cpu(peer),
            )
            for i in range(ROUNDS)
        ]
        ours = min(r[0] for r in rounds)
        line(f"one pass, {n:,} bars, {int(table['trades'][0]):,} trades", f"{ours / n * 1e9:.1f} ns/bar")
        if ask is not None:
            ratio = statistics.median((theirs or 0.0) / mine for mine, theirs, _ in rounds)
            line("  vectorbt, averages, signals, portfolio, 4 figures", f"{ratio:.0f} x", "goal 20 x", ratio >= 20)
        if peer is not None:
            ratio = statistics.median(theirs / ours for _, _, theirs in rounds if theirs is not None)
            line("  backtesting.py", f"{ratio:,.0f} x", "goal 1,000 x", ratio >= 1000)
        signals = np.zeros(n, np.int8)
        signals[n // 3 : n // 2] = 1
        dense = min(cpu(lambda h=history, s=signals, p=params: simulate(h, s, p, details=True)) for _ in range(3))  # type: ignore[misc]
        line("  with fills and equity curve, one trade", f"{dense / n * 1e9:.1f} ns/bar")


def sweeps(ask: Ask | None, quick: bool) -> None:
    """The sweep of 1,000 parameter sets, with one thread and two, beside that of the peer."""
    import numba

    from seakeep.backtest.kernel.sweep import Cross, sweep

    (history, params), rule = market(BARS), Cross(*grid())
    walls, cpus = {}, {}
    for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        numba.set_num_threads(threads)
        sweep(history, rule, params)
        rounds = []
        for _ in range(ROUNDS):
            start, spent = time.perf_counter(), time.process_time()
            sweep(history, rule, params)
            rounds.append(taken(start, spent))
        walls[threads], cpus[threads] = (min(r[name] for r in rounds) for name in ("wall", "cpu"))
        per = cpus[threads] / BARS / RUNS * 1e9
        line(
            f"1,000 runs x 100,000 bars, {threads} threads",
            f"{walls[threads]:.3f} s wall",
            f"{per:.2f} ns a bar and run",
        )
    if ask is not None:
        beside(ask, quick, min(walls.values()), cpus[1])
    if 2 in walls:
        line("  two threads over one", f"{walls[1] / walls[2]:.2f} x", "goal 1.8 x on a quiet machine")
    few = min(cpu(lambda: sweep(history, Cross(*(a[:100] for a in grid())), params)) for _ in range(ROUNDS))
    line("  cost of a run, 1,000 over 100", f"{cpus[1] / RUNS / (few / 100):.2f} x", "linear")


def beside(ask: Ask, quick: bool, wall: float, spent: float) -> None:
    """The peer's sweep against our seconds by the clock and of CPU on one thread."""
    last = 2 if quick else RUNS // CHUNK
    theirs, scale = ask(BARS, 0, last), RUNS / CHUNK / last
    how = "scaled from 2 chunks of 50" if quick else "whole, chunks of 50"
    line(f"  vectorbt, {how}", f"{theirs['wall'] * scale:.1f} s wall", f"{theirs['mb']:,.0f} MB at its peak")
    ratio = theirs["wall"] * scale / wall
    line("  vectorbt, wall over wall", f"{ratio:.0f} x", "goal 250 x", None if quick else ratio >= 250)
    line("  vectorbt, CPU over CPU, our one thread", f"{theirs['cpu'] * scale / spent:.0f} x")


def symbols() -> None:
    """Several symbols with shared cash against one, by the general pass."""
    from dataclasses import replace

    import numba

    from seakeep.backtest.kernel.sweep import sweep

    numba.set_num_threads(1)
    costs = {}
    for count in (1, 4):
        history, params = market(BARS, count)
        close = np.stack([frame.close for frame in history.frames])
        sums = np.cumsum(np.concatenate([np.zeros((count, 1)), close], axis=1), axis=1)
        fast, slow = ((sums[:, SLOW:] - sums[:, SLOW - w : -w]) / w for w in (FAST, SLOW))
        stances = np.zeros((1, BARS, count), np.int8)
        stances[0, SLOW - 1 :] = (fast > slow).T
        told = replace(params, stops=params.stops.model_copy(update={"take_profit": 10.0}))
        table = sweep(history, stances, told)
        taken = min(
            cpu(lambda h=history, s=stances, t=told: sweep(h, s, t))  # type: ignore[misc]
            for _ in range(ROUNDS)
        )
        costs[count] = taken / BARS / count * 1e9
        line(f"{count} symbols, shared cash, {int(table['fills'][0]):,} fills", f"{costs[count]:.1f} ns/bar/symbol")
    line("  a symbol of four over one alone", f"{costs[4] / costs[1]:.2f} x", "goal 2 x", costs[4] <= 2 * costs[1])


def starts() -> None:
    """From nothing: with compiled code to load, and with none."""
    child("pass")
    warm = child("pass")
    whole = child("sweep")
    line("from nothing to one pass, compiled before", f"{warm['cpu']:.2f} s CPU", f"{warm['mb']:.0f} MB")
    line("from nothing to 1,000 runs, compiled before", f"{whole['cpu']:.2f} s CPU")
    line("  memory", f"{whole['mb']:.0f} MB", "goal 250 MB", whole["mb"] <= 250)
    with tempfile.TemporaryDirectory() as empty:
        cold = child("pass", str(Path(empty)))
    line("from nothing to one pass, nothing compiled", f"{cold['cpu']:.1f} s CPU", f"{cold['mb']:.0f} MB")


def main() -> None:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve-vectorbt", action="store_true")
    parser.add_argument("--child", choices=["pass", "sweep"])
    parser.add_argument("--quick", action="store_true", help="scale vectorbt's sweep from two chunks")
    chosen = parser.parse_args()
    if chosen.serve_vectorbt:
        serve_vectorbt()
    elif chosen.child:
        be_child(chosen.child)
    else:
        starts()
        with vectorbt() as ask:
            passes(ask)
            sweeps(ask, chosen.quick)
        symbols()


if __name__ == "__main__":
    main()
