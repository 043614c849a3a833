import os
import sqlite3

import numpy as np
import pytest

from seakeep.app.search.studystore import Candidate, open_study
from seakeep.core.errors import ConfigError, DataError


def candidate(a, pruned=False):
    return Candidate({"a": a, "b": "x"}, 3, 0.1, float("nan"), np.array([0.01, -0.02], "<f4").tobytes(), pruned)


def test_what_was_kept_is_there_again_in_order(tmp_path):
    with open_study(tmp_path, "s") as store:
        store.keep([candidate(2), candidate(1, pruned=True)])
    with open_study(tmp_path, "s") as store:
        found = list(store.candidates().values())
    assert [c.params for c in found] == [{"a": 2, "b": "x"}, {"a": 1, "b": "x"}]
    assert [c.pruned for c in found] == [False, True]
    assert np.isnan(found[0].turnover)
    assert found[0].returns == pytest.approx([0.01, -0.02], rel=1e-6)


def test_what_was_committed_outlives_a_killed_process(tmp_path):
    child = os.fork()
    if not child:
        with open_study(tmp_path, "s") as store:
            store.keep([candidate(1)])
            os.kill(os.getpid(), 9)
    assert os.waitpid(child, 0)[1] == 9
    with open_study(tmp_path, "s") as store:
        assert len(store.candidates()) == 1


def test_a_study_of_something_else_is_refused_by_name(tmp_path):
    with open_study(tmp_path, "s") as store:
        store.agree({"strategy": "trend", "history": [1, 2]})
        store.agree({"strategy": "trend", "history": (1, 2)})
        with pytest.raises(ConfigError, match="the study s is of another history"):
            store.agree({"strategy": "trend", "history": [1, 3]})


def test_a_second_process_is_refused_while_the_first_works(tmp_path):
    with open_study(tmp_path, "s"), pytest.raises(ConfigError, match="another process"), open_study(tmp_path, "s"):
        pass


@pytest.mark.parametrize("name", ["../x", "", ".x", "a/b", "x" * 65, "a b", "a\0"])
def test_a_name_is_a_file_name_and_nothing_else(tmp_path, name):
    with pytest.raises(ConfigError, match="not a name of a study"), open_study(tmp_path, name):
        pass
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_study_is_left_alone(tmp_path):
    (tmp_path / "s.db").write_bytes(b"not a database at all, surely" * 40)
    with pytest.raises(DataError, match=r"s\.db"), open_study(tmp_path, "s"):
        pass
    connection = sqlite3.connect(tmp_path / "t.db")
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    with pytest.raises(DataError, match="it is not a study"), open_study(tmp_path, "t"):
        pass
