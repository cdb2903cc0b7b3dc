import numpy as np
import pytest
import torch

from dqn_exp.config.agent_schema import AdamConfig, RMSPropConfig
from dqn_exp.config.per_run_arrays import sections, to_bools, to_floats, to_ints, to_tensor
from dqn_exp.core.per_run import NEVER
from tests.conftest import make_config


def test_nulls_are_replaced():
    assert to_ints([3, None]).tolist() == [3, NEVER] and to_ints([None], 7).tolist() == [7]
    assert to_floats([0.5, None]).tolist() == [0.5, np.inf]
    assert to_bools([True, False]).tolist() == [True, False]
    tensor = to_tensor([0.1, None], torch.device("cpu"))
    assert tensor.dtype == torch.float32 and tensor.tolist() == [np.float32(0.1), np.inf]


def test_sections_of_another_kind_are_an_error():
    optimizers = [make_config().agent.optimizer] * 2
    assert sections(optimizers, AdamConfig) == optimizers
    with pytest.raises(TypeError, match="expected a RMSPropConfig, got a AdamConfig"):
        sections(optimizers, RMSPropConfig)
