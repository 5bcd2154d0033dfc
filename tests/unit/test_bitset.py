"""The tree of 64-bit words is a set of user numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from netsim import bitset
from netsim.state import NONE, SLICE

SIZES = [1, 63, 64, 65, 4095, 4096, 4097, 100_000, 250_000, 262_144]


class Tree:
    """A bit set with its place in the array of words behind somebody else's."""

    def __init__(self, users, before=3):
        levels = bitset.words_needed(users)
        self.words = np.zeros(before + sum(levels) + 1, np.uint64)
        self.words[:before] = self.words[-1] = ~np.uint64(0)
        row = np.zeros(1, SLICE)
        row["users_ever"] = users
        row["level0"], row["level1"], row["level2"] = before, before + levels[0], before + levels[0] + levels[1]
        self.part = row.view(np.recarray)[0]
        self.frame = self.words[:before], self.words[-1:]

    def add(self, member):
        bitset.add(self.words, self.part, member)

    def remove(self, member):
        bitset.remove(self.words, self.part, member)

    def first_from(self, start):
        return int(bitset.first_from(self.words, self.part, start))

    def members(self):
        found, member = [], self.first_from(0)
        while member != NONE:
            found.append(member)
            member = self.first_from(member + 1)
        return found


def numbers(users):
    """Members near the edges of words and of levels, and anywhere."""
    edges = sorted({e + d for e in (0, 64, 4096, 8192, users) for d in (-1, 0, 1) if 0 <= e + d < users})
    return st.one_of(st.sampled_from(edges), st.integers(0, users - 1))


@pytest.mark.parametrize("users", SIZES)
@settings(max_examples=15)
@given(data=st.data())
def test_members_are_those_added_and_not_removed_in_order(users, data):
    tree, members = Tree(users), set()
    for member, stays in data.draw(st.lists(st.tuples(numbers(users), st.booleans()), max_size=40)):
        (tree.add if stays else tree.remove)(member)
        (members.add if stays else members.discard)(member)
    assert tree.members() == sorted(members)


@pytest.mark.parametrize("users", SIZES)
def test_a_full_set_has_every_member_and_an_emptied_one_no_word_left(users):
    tree = Tree(users)
    members = range(0, users, 1 + users // 5000)  # every word all the same
    for member in members:
        tree.add(member)
    assert tree.members() == list(members)
    for member in members:
        tree.remove(member)
    assert not tree.words[3:-1].any()
    assert all((words == ~np.uint64(0)).all() for words in tree.frame)


@pytest.mark.parametrize("users", SIZES)
def test_beyond_the_last_user_there_is_nobody(users):
    tree = Tree(users)
    tree.add(users - 1)
    assert [tree.first_from(start) for start in (0, users - 1, users, users + 64)] == [users - 1, users - 1, NONE, NONE]


class SetOfUsers(RuleBasedStateMachine):
    """Any order of additions, removals and questions: the answers are those of a Python set."""

    USERS = 70_000

    @initialize()
    def empty(self):
        self.tree, self.members = Tree(self.USERS), set()

    @rule(member=numbers(USERS))
    def add(self, member):
        self.tree.add(member)
        self.members.add(member)

    @rule(member=numbers(USERS))
    def remove(self, member):
        self.tree.remove(member)
        self.members.discard(member)

    @rule(start=numbers(USERS))
    def next_from(self, start):
        assert self.tree.first_from(start) == min((m for m in self.members if m >= start), default=NONE)

    @invariant()
    def upper_levels_say_which_words_hold_somebody(self):
        level0, level1, _ = bitset.words_needed(self.USERS)
        lower, upper = self.tree.words[3 : 3 + level0], self.tree.words[3 + level0 : 3 + level0 + level1]
        said = np.unpackbits(upper.view(np.uint8), bitorder="little")[:level0].astype(bool)
        np.testing.assert_array_equal(said, lower != 0)


TestSetOfUsers = SetOfUsers.TestCase
TestSetOfUsers.settings = settings(max_examples=20, stateful_step_count=30)
