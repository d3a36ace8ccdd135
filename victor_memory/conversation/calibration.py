"""How likely it is that anything found answers the question: the scale of the scores.

A ranking only orders; its best is the best of what there is. What tells whether that is any good is
how much of the question's words are said in one place, and how far the nearest text lies above the
others. The larger the collection, the less either says, because more is as near by chance. The
weights were fitted by logistic regression on questions with and without an answer, of collections
of 1 to 3,600 texts, by `benchmarks/fit_calibration.py`; `benchmarks/recall_noise.py` measures what
they are worth.
"""

from __future__ import annotations

import math
from typing import Final

DEFAULT_MIN_SCORE: Final = 0.4
"""Below this, what is found is more likely noise than an answer."""
INTERCEPT: Final = -1.64
LIFT_WEIGHT: Final = 3.79
WINDOW_WEIGHT: Final = 4.72
TEXT_WEIGHT: Final = 4.53
SIZE_WEIGHT: Final = -0.48


def confidence(lift: float, window: float, text: float, documents: int) -> float:
    """Return the likelihood, 0 to 1, that the best of what was found answers the question.

    *lift* is how far the best cosine lies above the mean of all, *window* the share of the
    question's weight that is said at the best place, *text* that in the text with most of it;
    *documents* is the size of the collection.
    """
    logit = (
        INTERCEPT
        + LIFT_WEIGHT * lift
        + WINDOW_WEIGHT * window
        + TEXT_WEIGHT * text
        + SIZE_WEIGHT * math.log(max(1, documents))
    )
    return 1 / (1 + math.exp(-logit))
