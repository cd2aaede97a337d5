"""The ring, carried out, against its formulas."""

import numpy as np
import pytest

from adamlib.runs import scaling

LATENCY, BANDWIDTH = 2e-5, 1e9
EXACT = 1e-12  # relative; a sum over 510 rounds against a product
COUNTS = (1, 2, 3, 4, 7, 8, 64, 256)


def gradients(workers, n=1024):
    return np.random.default_rng(workers).standard_normal((workers, n))


@pytest.mark.parametrize("workers", COUNTS)
def test_every_worker_ends_with_the_same_sum(workers):
    given = gradients(workers, n=1000)  # not a multiple of every count
    sums, _, _ = scaling.all_reduce(given)
    assert sums.shape == given.shape and (sums == sums[0]).all()  # to the bit
    np.testing.assert_allclose(sums[0], given.sum(axis=0), atol=1e-12)  # order of the additions


def test_whole_numbers_are_added_exactly_and_the_gradients_stay():
    given = np.arange(12.0).reshape(3, 4)
    sums, _, _ = scaling.all_reduce(given)
    assert sums.tolist() == [[12, 15, 18, 21]] * 3
    assert (given == np.arange(12.0).reshape(3, 4)).all()


@pytest.mark.parametrize("workers", [count for count in COUNTS if 1024 % count == 0])
def test_a_worker_sends_twice_the_gradient_less_a_share(workers):
    given = gradients(workers)
    _, sent, _ = scaling.all_reduce(given)
    assert sent == scaling.sent_bytes(given[0].nbytes, workers)
    assert sent == 2 * given[0].nbytes * (workers - 1) // workers


@pytest.mark.parametrize("workers", [count for count in COUNTS if 1024 % count == 0])
def test_the_formula_is_the_time_of_the_ring(workers):
    given = gradients(workers)
    _, _, seconds = scaling.all_reduce(given, LATENCY, BANDWIDTH)
    formula = scaling.ring_seconds(given[0].nbytes, workers, LATENCY, BANDWIDTH)
    np.testing.assert_allclose(seconds, formula, rtol=EXACT)


def test_in_a_round_each_worker_passes_on_what_it_has_just_received():
    chunks = np.tile(2.0 ** np.arange(4)[:, None, None], (1, 4, 1))  # bits: who is in the sum
    states = [state[:, :, 0].copy() for state in scaling.rounds(chunks)]
    assert len(states) == 6
    assert states[0].diagonal().tolist() == [1, 2, 4, 8]  # sent, and not changed
    assert [states[2][r, (r + 1) % 4] for r in range(4)] == [15] * 4  # a whole sum at each
    assert (states[5] == 15).all()


def test_one_slow_link_slows_the_ring_down_to_itself():
    links = np.full(8, BANDWIDTH)
    links[3] /= 10
    _, _, seconds = scaling.all_reduce(gradients(8), LATENCY, links)
    alone = scaling.ring_seconds(8 * 1024, 8, LATENCY, BANDWIDTH / 10)
    assert seconds.argmax() == 4 and seconds.max() == pytest.approx(alone, rel=EXACT)


def test_all_wait_for_the_last_gradient():
    _, _, seconds = scaling.all_reduce(gradients(8), LATENCY, BANDWIDTH, start=np.eye(8)[5])
    ring = scaling.ring_seconds(8 * 1024, 8, LATENCY, BANDWIDTH)
    assert (seconds > 1).all() and seconds.max() == pytest.approx(1 + ring, rel=EXACT)


def test_overlap_hides_communication_up_to_a_share_of_the_passes():
    assert scaling.step_seconds(6, 1, 3) == 10
    assert scaling.step_seconds(6, 1, 3, overlap=2 / 3) == 7
    assert scaling.step_seconds(6, 1, 5, overlap=2 / 3) == 8


def test_a_fit_finds_the_links_of_the_ring():
    sizes = np.array([4e3, 1e5, 1e7])
    seconds = [scaling.ring_seconds(size, 4, LATENCY, BANDWIDTH) for size in sizes]
    assert scaling.fit_ring(sizes, seconds, 4) == pytest.approx((LATENCY, BANDWIDTH), rel=1e-9)


def test_the_shares_of_zero_are_those_of_its_paper():
    kept = [scaling.kept_bytes(7.5e9, 64, stage, (2, 2, 12)) / 1e9 for stage in range(4)]
    assert [round(gigabytes, 1) for gigabytes in kept] == [120, 31.4, 16.6, 1.9]
    assert [scaling.kept_bytes(1, 1, stage) for stage in range(4)] == [16] * 4
    with pytest.raises(ValueError, match="stage must be 0, 1, 2 or 3, got 4"):
        scaling.kept_bytes(1, 1, 4)
