"""What our own arithmetic says is what Keras says."""

import numpy as np
import pytest

from seakeep.models import layers
from seakeep.models.deep import keras_model
from seakeep.models.networks import KINDS, Shape, draw, forward, layout, size, unpack

SHAPE = Shape(inputs=3, window=9, units=6)


def some_weights(kind: str, shape: Shape = SHAPE) -> np.ndarray:
    """First weights, shaken so that no bias is zero."""
    return draw(kind, shape, 1) + 0.3 * np.random.default_rng(2).standard_normal(size(kind, shape))


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_says_what_keras_says(kind: str) -> None:
    x, ends = np.random.default_rng(3).standard_normal((30, 3)), np.arange(8, 30)
    weights = some_weights(kind)
    windows = x[ends[:, None] + np.arange(-8, 1)].astype(np.float32)
    said = keras_model(kind, SHAPE, weights).predict_on_batch(windows)
    ours = forward(kind, SHAPE, unpack(kind, SHAPE, weights), x, ends)
    np.testing.assert_allclose(ours, said, rtol=0, atol=1e-5)
    assert np.ptp(said, axis=0).min() > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_has_the_same_bits_alone_and_among_others(kind: str) -> None:
    x, ends = np.random.default_rng(4).standard_normal((40, 3)), np.arange(8, 40)
    weights = unpack(kind, SHAPE, some_weights(kind))
    whole = forward(kind, SHAPE, weights, x, ends)
    for row in (8, 21, 39):
        alone = forward(kind, SHAPE, weights, x[row - 8 : row + 1], np.array([8]))
        assert alone[0].tolist() == whole[row - 8].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_reads_its_whole_window_and_nothing_else(kind: str) -> None:
    x, end = np.random.default_rng(5).standard_normal((12, 3)), np.array([10])
    weights = unpack(kind, SHAPE, some_weights(kind))
    before = forward(kind, SHAPE, weights, x, end)
    for row, inside in ((1, False), (2, True), (10, True), (11, False)):
        moved = x.copy()
        moved[row] += 1.0
        assert (forward(kind, SHAPE, weights, moved, end) != before).any() == inside


@pytest.mark.parametrize("kind", KINDS)
def test_there_are_as_many_weights_as_keras_counts(kind: str) -> None:
    model = keras_model(kind, SHAPE)
    assert size(kind, SHAPE) == model.count_params()
    for name, weights in layout(kind, SHAPE):
        assert [w.shape for w in model.get_layer(name).weights] == list(weights)


def test_attention_shares_add_up_to_one_and_survive_large_scores() -> None:
    scores = np.array([1000.0, 1001.0, -5.0])
    layers._softmax(scores)
    assert scores.sum() == pytest.approx(1.0)
    assert scores[1] / scores[0] == pytest.approx(np.e)


def test_first_weights_between_states_are_orthogonal_and_repeat_by_seed() -> None:
    between = unpack("lstm", SHAPE, draw("lstm", SHAPE, 7))[1]
    for gate in np.split(between, 4, axis=1):
        np.testing.assert_allclose(gate.T @ gate, np.eye(6), atol=1e-12)
    assert draw("lstm", SHAPE, 7).tolist() == draw("lstm", SHAPE, 7).tolist()
    assert (draw("lstm", SHAPE, 7) != draw("lstm", SHAPE, 8)).any()


def test_weights_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="has 254 weights"):
        unpack("lstm", SHAPE, np.zeros(261))
    with pytest.raises(ValueError, match="no network of kind"):
        layout("perceptron", SHAPE)
