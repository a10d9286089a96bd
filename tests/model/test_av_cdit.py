"""AV-CDiT: shapes, what each token attends to, what each stage trains."""

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch

from avw.model.av_cdit import SIZES, AvCdit, AvCditConfig, SoundHistory, size_name
from avw.model.interaural_delay import FEATURES as DELAYS
from avw.model.layers import fourier
from avw.model.training.weights import init_weights, parameters_of

SMALL = {"width": 32, "heads": 2, "ages": (3, 2, 1, 0), "audio_tokens": 3, "audio_channels": 5}
CONFIG = AvCditConfig(depth=2, progress_head=True, **SMALL)


def with_open_gates(config: AvCditConfig = CONFIG) -> AvCdit:
    """A network whose zero-initialised gates have other values, as after training."""
    net = AvCdit(config)
    init_weights(net, 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return net.eval()


def inputs(B: int = 2, K: int = 3, config: AvCditConfig = CONFIG):
    generator = torch.Generator().manual_seed(2)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    return {
        "vision": draw(B, 4, 16, 16, 6),
        "audio": draw(B, 4, 3, 5),
        "past": draw(B, 4, 3),
        "noisy": {"vision": draw(B * K, 16, 16, 6), "audio": draw(B * K, 3, 5)},
        "step": torch.full((B, K), 700.0),
        "motion": draw(B, K, 3),
        "offset": torch.arange(1.0, B * K + 1).view(B, K),
        "prior": draw(B * K, 16, 16, 10),
        "sound": SoundHistory(draw(B, 7, 3, 5), draw(B, 7, 3), torch.arange(7.0).expand(B, 7), draw(B, 7, DELAYS)),
    }


def run(net, x, *, reward=True, noisy=None, context=None, **options):
    context = context or net.context(x["vision"], x["audio"], x["past"], x["sound"])
    noisy = x["noisy"] if noisy is None else noisy
    return net(noisy, x["step"], x["motion"], x["offset"], context, prior_PHWC=x["prior"], reward=reward, **options)


def test_shapes():
    net, x = with_open_gates(), inputs()
    outputs, reward = run(net, x)
    assert outputs["vision"].shape == (6, 16, 16, 6)
    assert outputs["audio"].shape == (6, 3, 5)
    assert reward.progress_BK.shape == (2, 3)
    assert reward.distance_logits_BKn.shape[:2] == (2, 3)
    assert ((reward.success_BK() > 0) & (reward.success_BK() < 1)).all()


def test_unpatchify_is_the_inverse_of_patchify():
    net, x = with_open_gates(), inputs()["noisy"]["vision"]
    torch.testing.assert_close(net.unpatchify(net.patchify(x)), x)


def test_learned_variance_doubles_the_channels():
    config = AvCditConfig(depth=1, learn_variance=True, residual=False, **SMALL)
    outputs, _ = run(with_open_gates(config), inputs())
    assert outputs["vision"].shape == (6, 16, 16, 12)
    assert outputs["audio"].shape == (6, 3, 10)


def test_the_reward_token_attends_to_others_but_they_do_not_attend_to_it():
    net, x = with_open_gates(), inputs()
    with_reward, reward = run(net, x)
    without, none = run(net, x, reward=False)
    assert none is None
    for name in without:
        torch.testing.assert_close(with_reward[name], without[name], atol=1e-5, rtol=1e-5)
    changed = dict(x["noisy"], vision=x["noisy"]["vision"] + 1)
    _, other = run(net, x, noisy=changed)
    assert (other.progress_BK - reward.progress_BK).abs().max() > 1e-4


def test_reward_from_context_alone():
    net, x = with_open_gates(), inputs()
    outputs, reward = run(net, x, noisy={})
    assert outputs == {}
    assert reward.progress_BK.shape == (2, 3)


def test_without_displacement_there_is_no_progress():
    net, x = with_open_gates(), inputs()
    x["motion"][..., :2] = 0
    assert torch.count_nonzero(run(net, x)[1].progress_BK) == 0


def test_targets_of_a_context_do_not_mix():
    """K targets share keys and values only: the result for a target is the same as without the others."""
    net, x = with_open_gates(), inputs()
    together, reward = run(net, x)
    context = net.context(x["vision"], x["audio"], x["past"], x["sound"])
    one = {
        **x,
        "noisy": {k: v.view(2, 3, *v.shape[1:])[:, 1].clone() for k, v in x["noisy"].items()},
        "step": x["step"][:, 1:2],
        "motion": x["motion"][:, 1:2],
        "offset": x["offset"][:, 1:2],
        "prior": x["prior"].view(2, 3, 16, 16, 10)[:, 1],
    }
    alone, alone_reward = run(net, one, context=context)
    torch.testing.assert_close(together["audio"].view(2, 3, 3, 5)[:, 1], alone["audio"], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(reward.progress_BK[:, 1:2], alone_reward.progress_BK, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("cdit", [False, True])
@pytest.mark.parametrize("imagined", [("vision", "audio"), ("audio",), ()])
def test_the_reward_depends_on_sounds_and_not_on_images(cdit, imagined):
    config = replace(CONFIG, cdit=cdit, sound_recall=False)
    net, x = with_open_gates(config), inputs()
    noisy = {name: x["noisy"][name] for name in imagined}

    def logits(net, x, noisy):
        return run(net, x, noisy=noisy)[1].distance_logits_BKn

    expected = logits(net, x, noisy)
    other = {**x, "vision": x["vision"] + 1, "prior": x["prior"] + 1}
    # The sounds that are imagined depend on the images. In one block, they do so after the reward has read them.
    once, seen = with_open_gates(replace(config, depth=1)), {name: latent + 1 for name, latent in noisy.items()}
    torch.testing.assert_close(logits(once, other, noisy | {"vision": seen["vision"]} if "vision" in noisy else noisy),
                               logits(once, x, noisy), atol=1e-5, rtol=1e-5)  # fmt: skip
    assert not torch.allclose(logits(net, {**x, "audio": x["audio"] + 1}, noisy), expected, atol=1e-4)
    if "audio" in imagined:
        assert not torch.allclose(logits(net, x, noisy | {"audio": seen["audio"]}), expected, atol=1e-4)
    sees = with_open_gates(replace(config, reward_from_sound=False))
    assert not torch.allclose(logits(sees, other, noisy), logits(sees, x, noisy), atol=1e-4)


@pytest.mark.parametrize("cdit", [False, True])
@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("imagined", [("vision", "audio"), ("vision",), ("audio",), ()])
def test_the_reward_alone_is_the_same_with_less_work(cdit, blind, imagined):
    net, x = with_open_gates(replace(CONFIG, depth=4, cdit=cdit, reward_from_sound=blind)), inputs()
    noisy = {name: x["noisy"][name] for name in imagined}
    computed = Counter()
    for number, block in enumerate(net.blocks):
        for name, expert in block.experts.items():
            expert.register_forward_hook(lambda *_, key=(number, name): computed.update([key]))
    (_, whole), all_work = run(net, x, noisy=noisy), set(computed)
    computed.clear()
    outputs, alone = run(net, x, noisy=noisy, only_reward=True)
    assert outputs == {}
    torch.testing.assert_close(alone.distance_logits_BKn, whole.distance_logits_BKn, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(alone.progress_BK, whole.progress_BK, atol=1e-5, rtol=1e-5)
    spared = all_work - set(computed)
    if blind and imagined == ("vision", "audio"):  # the reward reads sounds of block 2, and these images of block 1
        assert spared == {(3, "vision"), (2, "vision"), (3, "audio")}
    elif blind and imagined == ("vision",):
        assert spared == {(number, "vision") for number in range(4)}
    else:
        assert spared == {(3, name) for name in imagined}


def test_adaln_zero_starts_at_zero():
    net = AvCdit(replace(CONFIG, residual=False, sound_recall=False))
    init_weights(net, 0)
    outputs, _ = run(net, inputs())
    assert all(torch.count_nonzero(x) == 0 for x in outputs.values())


def test_a_residual_starts_at_the_prior_and_trusts_it_more_where_it_was_seen():
    net, x = AvCdit(CONFIG), inputs()
    init_weights(net, 0)
    x["prior"][..., 6] = torch.tensor([0.0, 1.0]).repeat(8)  # coverage of every second column
    outputs, _ = run(net, x)
    gate = outputs["vision"] / x["prior"][..., :6]
    torch.testing.assert_close(gate[:, :, ::2], torch.full_like(gate[:, :, ::2], 0.3543), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(gate[:, :, 1::2], torch.full_like(gate[:, :, 1::2], 0.9370), atol=1e-3, rtol=1e-3)


def test_the_sound_memory_is_heard_and_ignores_steps_that_do_not_exist():
    net, x = with_open_gates(), inputs()
    sound = x["sound"]
    louder = {**x, "sound": replace(sound, audio_BMAD=sound.audio_BMAD + 1)}
    heard = run(net, x)[1].distance_logits_BKn
    assert (run(net, louder)[1].distance_logits_BKn - heard).abs().max() > 1e-4
    first = torch.where(torch.arange(7) < 1, sound.age_BM, -1.0)  # at the first observation
    louder_before = torch.cat([sound.audio_BMAD[:, :1], sound.audio_BMAD[:, 1:] + 1], 1)
    absent = [
        run(net, {**x, "sound": replace(sound, audio_BMAD=heard, age_BM=first)})[1].distance_logits_BKn
        for heard in (sound.audio_BMAD, louder_before)
    ]
    torch.testing.assert_close(*absent)


def test_a_sound_starts_at_what_was_heard_at_its_phase():
    config = replace(CONFIG, depth=1, sound_memory=64)
    net, x = AvCdit(config), inputs(B=1)
    init_weights(net, 0)
    once = torch.randn(7, 3, 5, generator=torch.Generator().manual_seed(3))
    heard = once[(63 - torch.arange(64)) % 7][None]  # newest first, repeating every 7 steps
    x["sound"] = SoundHistory(heard, torch.zeros(1, 64, 3), torch.arange(64.0)[None], torch.zeros(1, 64, DELAYS))
    x["offset"] = torch.tensor([[1.0, 5.0, 20.0]])
    outputs, _ = run(net, x)
    future = once[(63 + x["offset"][0].long()) % 7]
    torch.testing.assert_close(outputs["audio"], 0.5 * future + heard[:, 0] / (1 + math.exp(2.2)))
    # A sound that does not repeat is the last sound.
    x["sound"] = replace(x["sound"], age_BM=torch.where(torch.arange(64)[None] < 1, 0.0, -1.0))
    outputs, _ = run(net, x)
    torch.testing.assert_close(outputs["audio"], (0.5 + 1 / (1 + math.exp(2.2))) * heard[:, [0, 0, 0]][0])


def test_progress_follows_from_the_histogram_where_there_is_no_head_for_it():
    net = with_open_gates(replace(CONFIG, progress_head=False))
    _, reward = run(net, inputs())
    assert reward.progress_BK is None
    assert reward.distance_logits_BKn.shape[-1] == len(CONFIG.distance_edges) + 1


def test_configurations_of_older_checkpoints_keep_their_meaning():
    old = {"width": 32, "ages": [1, 0], "rotation_prior": True, "past_motion": True}
    config = AvCditConfig.from_json(old)
    assert (config.prior, config.residual, config.sound_memory, config.progress_head) == ("rotation", False, 0, True)
    assert len(config.distance_edges) == 15
    assert AvCditConfig.from_json({**old, "rotation_prior": False}).prior == "none"
    later = AvCditConfig.from_json({"prior": "memory"})
    assert (later.sound_recall, later.source_layers, later.source_belief) == (False, 0, True)


def test_a_narrow_reward_expert_changes_the_reward_alone():
    net, x = with_open_gates(replace(CONFIG, reward_width=8)), inputs()
    outputs, reward = run(net, x)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "experts.reward" in name:
                parameter.mul_(2.0)
    again, changed = run(net, x)
    assert all(torch.equal(outputs[name], again[name]) for name in outputs)
    assert not torch.equal(reward.distance_logits_BKn, changed.distance_logits_BKn)
    fresh = AvCdit(replace(CONFIG, reward_width=8))
    init_weights(fresh, 0)
    token, c = torch.randn(3, 1, 32), torch.randn(3, 32)
    assert torch.equal(fresh.blocks[0].experts["reward"](token, fresh.blocks[0].norm(token), c), token)
    assert AvCditConfig.from_json({"width": 32, "heads": 2}).reward_width == 0  # a checkpoint of an earlier version


def test_a_network_is_called_by_the_name_of_its_size() -> None:
    assert [size_name(AvCditConfig(**values)) for values in SIZES.values()] == list(SIZES)
    assert size_name(AvCditConfig(width=128, depth=5, heads=4)) == "of width 128, depth 5 and 4 heads"


@pytest.mark.parametrize(("size", "millions"), [("nano", 0.8), ("S", 20), ("B", 79), ("L", 21), ("XL", 27)])
def test_the_parameters_of_the_reward(size, millions):
    with torch.device("meta"):
        net = AvCdit(AvCditConfig(**SIZES[size]))
    owned = sum(p.numel() for name, p in net.named_parameters() if "reward" in name.split("."))
    assert owned / 1e6 == pytest.approx(millions, rel=0.05)


def test_initial_weights_depend_on_the_seed_only():
    nets = [AvCdit(CONFIG) for _ in range(3)]
    for net, seed in zip(nets, (7, 7, 8), strict=True):
        init_weights(net, seed)
    a, b, c = (torch.cat([p.flatten() for p in net.parameters()]) for net in nets)
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


@pytest.mark.parametrize("stage", ["1", "2", "3"])
def test_a_stage_trains_what_the_paper_says(stage):
    """Stage 1: attention, conditions and vision. Stage 2: audio only, shared weights frozen. Stage 3: everything."""
    net = with_open_gates()
    trained = {name for name, _ in parameters_of(net, stage)}
    every = {name for name, _ in net.named_parameters()}
    owners = {name: [m for m in ("vision", "audio", "reward") if m in name.split(".")] for name in every}
    expected = {
        "1": {n for n, o in owners.items() if o in ([], ["vision"])},
        "2": {n for n, o in owners.items() if o == ["audio"]},
        "3": every,
    }[stage]
    assert trained == expected
    if stage == "2":
        assert not any(
            (n.startswith("blocks") and "attention" in n)
            or n.startswith(("condition", "prior"))
            or "blocks.0.modulation" in n
            for n in trained
        )
        assert {"adapters.audio.0.weight", "blocks.1.experts.audio.up.weight", "heads.audio.out.weight"} <= trained


def test_past_motion_has_an_effect_only_if_it_is_enabled():
    x = inputs()
    moved = {**x, "past": x["past"] + 1}
    enabled, disabled = with_open_gates(), with_open_gates(replace(CONFIG, past_motion=False))
    assert (run(enabled, x)[1].progress_BK - run(enabled, moved)[1].progress_BK).abs().max() > 1e-4
    assert torch.equal(run(disabled, x)[1].progress_BK, run(disabled, moved)[1].progress_BK)


def test_fourier_resolves_small_inputs():
    """Embeddings with inputs of at most 1 and periods of at least 6, as in NWM, hardly distinguish them."""
    x = fourier(torch.tensor([0.0, 0.15]), 8, 38.4)
    assert (x[0] - x[1]).norm() > 1.0


@pytest.mark.parametrize(("size", "millions"), [("S", 49), ("B", 195)])
def test_sizes_are_those_of_nwm(size, millions):
    """Parameter counts as in the table of NWM; AV-CDiT has two more experts per block and smaller latents."""
    with torch.device("meta"):
        net = AvCdit(AvCditConfig(**SIZES[size]))
    shared_and_vision = sum(p.numel() for n, p in net.named_parameters() if not {"audio", "reward"} & set(n.split(".")))
    assert shared_and_vision == pytest.approx(millions * 1e6, rel=0.2)
