"""A process to be killed: takes up its run, writes it on, and tells of every send only after the commit."""

import sys
from pathlib import Path

from seakeep.ledger.journal import Ledger
from tests.unit.ledger.story import story


def main(location: str, sent_path: str) -> None:
    """Write the story from where the ledger stands; `sent` gets the number of each entry that caused a send."""
    with Path(sent_path).open("ab", buffering=0) as sent, Ledger.open(location) as ledger:
        ledger.start_run("r", "{}")
        done = ledger.run("r").head_seq
        for seq, (event, records) in enumerate(story(3000)[done:], start=done + 1):
            ledger.write(event, records)
            if len(records) > 1:
                ledger.commit()
                sent.write(b"%d\n" % seq)


if __name__ == "__main__":
    main(*sys.argv[1:])
