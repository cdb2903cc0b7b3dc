"""TensorBoard tags and charts of a run."""

import enum

from dqn_exp.files.event_file import Chart


class Tag(enum.StrEnum):
    """Tag of a scalar, by group; docs/tags.md explains each."""

    EPISODE_RETURN = "episode/return"
    EPISODE_LENGTH = "episode/length"
    EVAL_RETURN_MEAN = "eval/return_mean"
    EVAL_RETURN_STD = "eval/return_std"
    EVAL_LENGTH_MEAN = "eval/length_mean"
    EVAL_RETURN_LOWER = "spread/eval_return_lower"
    EVAL_RETURN_UPPER = "spread/eval_return_upper"
    LOSS = "train/loss"
    TD_ERROR_ABS = "train/td_error_abs"
    TD_ERROR_P10 = "train/td_error_p10"
    TD_ERROR_P50 = "train/td_error_p50"
    TD_ERROR_P90 = "train/td_error_p90"
    Q_MEAN = "train/q_mean"
    GRAD_NORM = "train/grad_norm"
    EPSILON = "train/epsilon"
    LEARNING_RATE = "train/learning_rate"
    TARGET_DISTANCE = "train/target_distance"
    ACTION_GAP = "value/action_gap"
    START_PREDICTED = "value/start_predicted"
    START_REALIZED = "value/start_realized"
    OVERESTIMATION = "value/overestimation"
    BUFFER_SIZE = "buffer/size"
    TERMINAL_SHARE = "buffer/terminal_share"
    STEPS_PER_SECOND = "perf/steps_per_second"


MOST_SELECTED = 40
"""Runs up to which TensorBoard selects all; with more, its pages of custom scalars and texts show
nothing until some are selected, and are left out."""

VIDEO = "policy/greedy"
"""Tag of the video of the final policy."""

FINAL_METRICS = (
    Tag.EVAL_RETURN_MEAN,
    Tag.EVAL_RETURN_STD,
    Tag.EVAL_LENGTH_MEAN,
    Tag.EPISODE_RETURN,
)
"""Metrics of the table of hyperparameters."""


class SettingTag(enum.StrEnum):
    """Tag of a scalar of a setting, in the log directory of a report."""

    IQM = "setting/return_iqm"
    LOWER = "setting/return_lower"
    UPPER = "setting/return_upper"
    NUM_RUNS = "setting/num_runs"


SETTING_CHARTS = {
    "Which setting is best?": (
        Chart(
            "Return of the greedy policy: IQM over the seeds with its 95% interval",
            (SettingTag.IQM, SettingTag.LOWER, SettingTag.UPPER),
            is_band=True,
        ),
    )
}
"""Charts of the settings of a report."""

CHARTS = {
    "Is it learning?": (
        Chart(
            "Return of the greedy policy: mean and standard deviation over evaluation episodes",
            (Tag.EVAL_RETURN_MEAN, Tag.EVAL_RETURN_LOWER, Tag.EVAL_RETURN_UPPER),
            is_band=True,
        ),
        Chart("Return of training episodes", (Tag.EPISODE_RETURN,)),
    ),
    "Are its values right?": (
        Chart(
            "Value of the initial state, predicted and realized",
            (Tag.START_PREDICTED, Tag.START_REALIZED),
        ),
        Chart("Overestimation", (Tag.OVERESTIMATION,)),
        Chart("Action gap", (Tag.ACTION_GAP,)),
    ),
    "Is learning stable?": (
        Chart(
            "TD errors: 10th, 50th and 90th percentile",
            (Tag.TD_ERROR_P10, Tag.TD_ERROR_P50, Tag.TD_ERROR_P90),
        ),
        Chart("Gradient norm", (Tag.GRAD_NORM,)),
        Chart("Distance of the target network", (Tag.TARGET_DISTANCE,)),
        Chart("Share of stored transitions without a future", (Tag.TERMINAL_SHARE,)),
    ),
}
"""Charts of the page of custom scalars, by the question that they answer."""
