"""Playback of a run, or of the best run of a sweep."""

from dqn_exp.analysis.summary import best_run as best_run
from dqn_exp.training.playback import PlaybackRequest as PlaybackRequest
from dqn_exp.training.playback import play_back as play_back
from dqn_exp.training.playback import replay as replay
