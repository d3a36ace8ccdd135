import pytest
from hypothesis import given
from hypothesis import strategies as st

from victor_memory.codebase.windows import MAX_CHARACTERS, TARGET_CHARACTERS, lines_of, windows

SIZES = st.lists(st.one_of(st.integers(1, 80), st.integers(1, 5000)), max_size=150)
COSTS = st.floats(-1, 10, allow_nan=False)


def test_lines_joined_are_the_text():
    assert lines_of("") == []
    assert lines_of("a\n\nb") == ["a\n", "\n", "b"]
    assert lines_of("a\x0c\u2028b\n") == ["a\x0c\u2028b\n"]


class TestWindows:
    @given(sizes=SIZES, data=st.data(), target=st.sampled_from([1, 10, 200, 1500, MAX_CHARACTERS]))
    def test_they_cover_all_lines_within_the_limit(self, sizes, data, target):
        costs = data.draw(st.lists(COSTS, min_size=len(sizes), max_size=len(sizes)))
        found = windows(["x" * size for size in sizes], costs, target)
        assert [start for start, _ in found] == [0, *(end for _, end in found)][: len(found)]
        assert (found[-1][1] if found else 0) == len(sizes)
        for start, end in found:
            assert start < end
            assert end - start == 1 or sum(sizes[start:end]) <= MAX_CHARACTERS

    def test_a_text_is_cut_where_it_costs_least(self):
        lines = ["x" * 100] * 60
        costs = [0.0 if number in {13, 30, 44} else 5.0 for number in range(60)]
        assert windows(lines, costs) == [(0, 13), (13, 30), (30, 44), (44, 60)]

    def test_without_preferences_all_are_about_the_wished_size(self):
        found = windows(["x" * 50] * 300, [1.0] * 300)
        for start, end in found:
            assert (end - start) * 50 == pytest.approx(TARGET_CHARACTERS, rel=0.5)

    def test_a_small_text_is_one_window(self):
        assert windows(["x" * 100] * 14, [0.0] * 14) == [(0, 14)]

    def test_a_small_rest_does_not_stand_alone(self):
        assert windows(["x" * 100] * 17, [0.5] * 17) == [(0, 17)]

    @pytest.mark.parametrize("target", [0, -1, MAX_CHARACTERS + 1])
    def test_a_target_beyond_the_limit_is_an_error(self, target):
        with pytest.raises(ValueError, match="Use 1 to 3000"):
            windows(["x"], [0.0], target)
