"""`--set field=value`: types, nested fields and messages."""

from __future__ import annotations

import pytest

from avw.model.av_cdit import AvCditConfig
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.configuration.overrides import with_overrides
from avw.sim_bridge.errors import UsageError

CONFIG = TrainConfig(net=AvCditConfig())


def test_values_have_the_type_of_the_field() -> None:
    settings = ["net.prior=none", "net.sound_memory=0", "net.ages=4,2,0", "learning_rate=1", "mirror=false"]
    found = with_overrides(CONFIG, [*settings, "net.modalities=audio", "diffusion.sampling_steps=2"])
    assert (found.net.prior, found.net.sound_memory, found.net.ages) == ("none", 0, (4, 2, 0))
    assert isinstance(found.learning_rate, float)
    assert (found.mirror, found.net.modalities, found.diffusion.sampling_steps) == (False, ("audio",), 2)
    assert with_overrides(CONFIG, []) == CONFIG


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("net.prior", "expected FIELD=VALUE"),
        ("net.priors=none", r"no field 'net.priors'; did you mean net\.prior\?"),
        ("prior=none", r"no field 'prior'; did you mean net\.prior\?"),
        ("learning_rat=1", r"did you mean learning_rate\?"),
        ("diffusion.beta_frist=1", r"did you mean diffusion\.beta_first\?"),
        ("precision=fp16", "precision is 'fp16': expected one of fp32, bf16"),
        ("accumulate=0", "accumulate is 0"),
        ("contexts=2.5", "expected a whole number, got '2.5'"),
        ("contexts=true", "expected a whole number"),
        ("mirror=1", "expected true or false"),
        ("net=3", r"name a field of it: net\.FIELD"),
        ("steps=3", "--steps"),
        ("seed.x=3", "seed has no fields"),
        ("net.prior=mirror", "prior"),
        ("diffusion.prediction=cake", "prediction"),
    ],
)
def test_a_wrong_setting_is_one_clear_sentence(setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        with_overrides(CONFIG, [setting])
