"""The first sentences of the report say what is certain, and what is not."""

from avw.model.report.lead import lead

NAVIGATION = {
    "episodes": 216,
    "policies": {
        "mpc": {"sr": [0.93, 0.89, 0.96]},
        "greedy-audio": {"sr": [0.4, 0.33, 0.46]},
        "reward-only": {"sr": [0.93, 0.9, 0.96]},
    },
    "paired": {"mpc - greedy-audio": {"sr": [0.53, 0.46, 0.6]}, "mpc - reward-only": {"sr": [0.0, -0.02, 0.03]}},
}


def evaluation(mean: float, low: float | None, high: float) -> dict:
    return {
        "paired": {
            "1": {"psnr": {"reprojection": [9.0, 9.0, 9.0]}},
            "16": {"psnr": {"reprojection": [mean, low, high]}},
        }
    }


def test_a_difference_whose_interval_contains_zero_is_uncertain():
    text = lead(None, NAVIGATION)
    assert "93% [89%, 96%] of 216 episodes" in text
    assert "in 40% (difference +53 points [+46, +60])" in text
    assert "+0 points [−2, +3], uncertain" in text
    assert "PSNR" not in text


def test_images_are_better_worse_or_not_clearly_different():
    assert "better than a reprojection" in lead(evaluation(0.5, 0.3, 0.7), None)
    assert "+0.50 dB [+0.30, +0.70]" in lead(evaluation(0.5, 0.3, 0.7), None)
    assert "Images predicted 16 steps ahead are worse than" in lead(evaluation(-0.5, -0.7, -0.3), None)
    assert "not clearly different from" in lead(evaluation(0.1, -0.1, 0.3), None)
    one = {"paired": {"1": {"psnr": {"persistence": [9.0, 8.0, 9.5]}}}}
    assert "Images predicted 1 step ahead are better than persistence" in lead(one, None)


def test_without_figures_there_is_no_sentence():
    assert lead(None, None) == ""
    assert lead(evaluation(0.1, None, 0.3), {"episodes": 3, "policies": {"oracle": {"sr": [1, 1, 1]}}}) == ""
