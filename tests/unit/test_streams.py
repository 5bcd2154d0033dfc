"""Draws are Philox4x32-10, named by purpose, slice, user and index, and by nothing else."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim import streams
from netsim.errors import ScenarioError
from netsim.streams import PURPOSES, philox, stream_word, stream_words, uniform, uniform_halves, uniforms

WORDS = st.integers(0, 2**32 - 1)

# Counter, key and result of Random123's known-answer file for philox4x32-10, most significant word last.
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text):
    return [int(word, 16) for word in text.split()]


def joined(low, high):
    return np.uint64(high << 32 | low)


def drawn(counter, key):
    """The four 32-bit words of a block."""
    c0, c1, c2, c3 = counter
    first, second = map(int, philox(joined(*key), joined(c0, c1), np.uint64(c2), np.uint64(c3)))
    return [first & 0xFFFFFFFF, first >> 32, second & 0xFFFFFFFF, second >> 32]


def textbook(counter, key):
    """Philox as Salmon et al. define it: ten rounds, the key bumped between them."""
    c, k = list(counter), list(key)
    for _ in range(10):
        product0, product1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [product1 >> 32 ^ c[1] ^ k[0], product1 & 0xFFFFFFFF, product0 >> 32 ^ c[3] ^ k[1], product0 & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_random123s_known_answers(counter, key, answer):
    assert drawn(words(counter), words(key)) == words(answer)


@given(st.tuples(WORDS, WORDS, WORDS, WORDS), st.tuples(WORDS, WORDS))
def test_philox_is_the_textbooks_ten_rounds(counter, key):
    assert drawn(counter, key) == textbook(counter, key)


@given(st.integers(0, 2**64 - 1))
def test_a_uniform_number_is_the_middle_of_its_cell(word):
    number = uniform(np.uint64(word))
    assert 0.0 < number < 1.0
    assert int(number * 2**53) == 2 * (word >> 12) + 1


def test_uniform_numbers_never_reach_their_ends():
    least, most = uniform(np.uint64(0)), uniform(np.uint64(2**64 - 1))
    assert (least, most) == (2.0**-53, 1.0 - 2.0**-53)


@given(WORDS, WORDS)
def test_the_halves_of_a_word_are_two_uniform_numbers(low, high):
    assert uniform_halves(joined(low, high)) == ((low + 0.5) / 2**32, (high + 0.5) / 2**32)


@given(st.integers(0, 2**64 - 1), WORDS, st.permutations(range(8)), st.integers(0, 2**64 - 1))
def test_draws_do_not_depend_on_the_order_or_number_of_users(seed, word, users, index):
    together = uniforms(seed, word, np.array(users), index)
    alone = [uniforms(seed, word, np.array([user]), index)[0] for user in users]
    np.testing.assert_array_equal(together, alone)


@given(st.integers(0, 2**64 - 1), st.integers(0, 1000), st.integers(0, 2**40))
def test_seed_user_index_and_purpose_each_change_a_draw(seed, user, index):
    word = stream_word(streams.PACKETS, "video")
    others = [
        uniforms(seed, word, np.array([user]), index),
        uniforms(seed ^ 1, word, np.array([user]), index),
        uniforms(seed, word, np.array([user + 1]), index),
        uniforms(seed, word, np.array([user]), index + 1),
        uniforms(seed, stream_word(streams.FADING, "video"), np.array([user]), index),
        uniforms(seed, stream_word(streams.PACKETS, "VoLTE"), np.array([user]), index),
    ]
    assert len({float(draw[0, 0]) for draw in others}) == len(others)


def test_an_index_beyond_32_bits_is_another_index():
    word = stream_word(streams.FADING, "video")
    near, far = (uniforms(1, word, np.array([0]), index) for index in (5, 5 + 2**32))
    assert not np.array_equal(near, far)


def test_stream_words_of_purposes_and_slices_differ_and_are_those_of_the_names_alone():
    names = ("VoLTE", "video", "URLLC")
    found = stream_words(names)
    assert len(set(found.values())) == len(PURPOSES) * len(names)
    assert found == {key: stream_words((key[1],))[key] for key in found}


def test_names_whose_streams_collide_are_refused(monkeypatch):
    monkeypatch.setattr(streams, "stream_word", lambda purpose, name: 7)
    with pytest.raises(ScenarioError, match="share a random stream; rename one of them"):
        stream_words(("a", "b"))
