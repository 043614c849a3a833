"""Writes a run, is killed, and takes it up again: a line of stdin for each kill, a line of stdout for each death.

Children are forks of this process, which has loaded everything, so that a kill costs no start. A line holds the
seconds between a child's next send and its end; the answer is how it ended.
"""

import sys
import time
from multiprocessing import get_context
from pathlib import Path

from seakeep.ledger.journal import Ledger
from tests.unit.ledger.story import Kept, story


def write(location: str, sent_path: Path, entries: list[Kept]) -> None:
    """Write the story from where the ledger stands; `sent` gets the number of each entry that caused a send."""
    with sent_path.open("ab", buffering=0) as sent, Ledger.open(location) as ledger:
        ledger.start_run("r", "{}")
        done = ledger.run("r").head_seq
        for seq, (event, records) in enumerate(entries[done:], start=done + 1):
            ledger.write(event, records)
            if len(records) > 1:
                ledger.commit()
                sent.write(b"%d\n" % seq)


def main(location: str, sent: Path) -> None:
    """Let one child after the other write and kill each once it has sent something."""
    entries = story(3000)
    sent.touch()
    for delay_s in sys.stdin:
        size = sent.stat().st_size
        child = get_context("fork").Process(target=write, args=(location, sent, entries))
        child.start()
        while child.is_alive() and sent.stat().st_size <= size:
            time.sleep(0.001)
        time.sleep(float(delay_s))
        child.kill()
        child.join()
        sys.stdout.write(f"{child.exitcode}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
