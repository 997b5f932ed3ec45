"""One step of each preset: what is shown to whom, what changes, what it costs."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganforget.errors import InputError
from ganforget.models.gan import model_hash
from ganforget.options import Mode, SubstituteName, UnlearnOptions
from ganforget.training.losses import d_fake_loss, d_loss, g_loss
from ganforget.unlearning.batches import cyclic, head_logits
from ganforget.unlearning.cascade import Cascade, Check
from ganforget.unlearning.config import CascadeConfig
from ganforget.unlearning.default_preset import default_step
from ganforget.unlearning.descent import descend
from ganforget.unlearning.losses import distillation_loss, fake_label_loss, g_forget_loss, imitation_loss
from ganforget.unlearning.paper_preset import paper_step
from ganforget.unlearning.presets import cascade_config
from ganforget.unlearning.state import CascadeState, new_cascade
from ganforget.work import Work
from small_gan import ImageCounter, same_weights, small_cascade, small_gan

MODES: list[Mode] = ["few-shot", "zero-shot"]
NOWHERE = Check({}, d_reached=False, g_reached=False)


def step(cascade: Cascade, state: CascadeState, check: Check = NOWHERE) -> dict[str, float]:
    losses = paper_step(cascade, state) if cascade.config.preset == "paper" else default_step(cascade, state, check)
    state.step += 1
    return losses


def batches_seen(network: nn.Module) -> list[Tensor]:
    """Collect the first argument of every call of a network from now on."""
    seen: list[Tensor] = []
    network.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs[0].detach().clone()))
    return seen


def place(image: Tensor, images: Tensor) -> int:
    """Which of ``images`` an image is, −1 for none."""
    same = (images == image).flatten(1).all(1).nonzero()
    return int(same[0]) if len(same) else -1


# ----------------------------------------------------------------------------
# Ours.


@pytest.mark.parametrize("mode", MODES)
def test_ds_batch_is_three_blocks(mode: Mode):
    """D_0's features of forget images, images to be held and anchors; groups run across the blocks."""
    cascade = small_cascade(mode=mode)
    state = new_cascade(cascade.original, cascade.config)
    seen = batches_seen(state.D.b4)
    step(cascade, state)
    batch = seen[0]
    assert len(batch) == 24
    held = cascade.anchors if cascade.retain is None else cascade.retain
    for block, fixed in zip(batch.split(8), (cascade.forget, held, cascade.anchors), strict=True):
        known, _ = fixed.trunk(torch.arange(len(fixed)))
        assert all(place(features, known) >= 0 for features in block)
    groups = torch.arange(24).view(4, 6).t()  # image i stands with i + 6, i + 12, i + 18
    assert all(len({int(i) // 8 for i in group}) == 3 for group in groups)


def test_ds_batch_may_be_wider_than_gs():
    cascade = small_cascade(count=8, batch_size=4, d_batch_size=8)
    state = new_cascade(cascade.original, cascade.config)
    seen = batches_seen(state.D.b4)
    counter = ImageCounter().watch(state.G.synthesis)
    step(cascade, state)
    assert len(seen[0]) == 3 * 8
    assert counter.work.g_backward == 2 * 4


def test_a_step_of_g_may_have_more_anchors_than_substitutes():
    cascade = small_cascade(count=16, batch_size=8, substitute_batch_size=4, anchor_batch_size=12)
    state = new_cascade(cascade.original, cascade.config)
    counter = ImageCounter().watch(state.G.synthesis)
    losses = step(cascade, state)
    assert counter.work.g_backward == state.work.g_backward == 12 + 4
    assert {"g_substitute", "anchor"} <= set(losses)


def test_ds_head_alone_learns():
    """Its trunk stays D_0's, so that D's scores are those of its head on D_0's features."""
    cascade = small_cascade(schedule_steps=0)
    state = new_cascade(cascade.original, cascade.config)
    for _ in range(2):
        step(cascade, state)
    head = {id(weight) for weight in state.D.head_parameters()}
    moved = [
        (name, id(weight) in head)
        for name, weight in state.D.named_parameters()
        if not torch.equal(weight, cascade.original.D.get_parameter(name))
    ]
    assert moved
    assert all(of_head for _, of_head in moved)
    assert {name.split(".")[0] for name, _ in moved} == {"b4", "mapping"}
    everything = torch.arange(8)
    with torch.no_grad():
        whole = state.D(cascade.forget.images[everything], cascade.forget.c)[:, 0]
        assert torch.allclose(whole, head_logits(state.D, [(cascade.forget, everything)]), atol=1e-5)


def test_ds_losses_are_those_of_the_equations():
    cascade = small_cascade(distillation=0.7)
    state = new_cascade(cascade.original, cascade.config)
    assert cascade.retain is not None
    rows = [
        cyclic(len(fixed), 8, 0, name, 0, torch.device("cpu"))
        for fixed, name in ((cascade.forget, "forget"), (cascade.retain, "held"), (cascade.anchors, "d_anchors"))
    ]
    parts = list(zip((cascade.forget, cascade.retain, cascade.anchors), rows, strict=True))
    c = torch.cat([fixed.c[chosen] for fixed, chosen in parts if fixed.c is not None])
    state.D.b4.out.bias.data.add_(0.5)  # so that D is not D_0
    with torch.no_grad():
        logits = state.D(torch.cat([fixed.images[chosen] for fixed, chosen in parts]), c)[:, 0]
        before = head_logits(cascade.original.D, parts)
    losses = step(cascade, state)
    assert losses["d_unlearning"] == pytest.approx(float(fake_label_loss(logits[:8], -2.0)), rel=1e-4)
    held = distillation_loss(logits[8:16], before[8:16]) + distillation_loss(logits[16:], before[16:])
    assert losses["d_distillation"] == pytest.approx(0.7 * float(held), rel=1e-4)


def test_gs_losses_at_the_start_are_those_of_the_original():
    """At λ = 1 the substitute is the image itself, and the anchors are what G makes: there is nothing to gain yet."""
    cascade = small_cascade()
    state = new_cascade(cascade.original, cascade.config)
    losses = step(cascade, state)
    assert losses["g_substitute"] == pytest.approx(0, abs=1e-8)
    assert losses["anchor"] == pytest.approx(0, abs=1e-8)
    for _ in range(3):
        losses = step(cascade, state)
    assert losses["g_substitute"] > 1e-4


@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize("mode", MODES)
def test_a_step_changes_both_networks_and_not_the_original(preset: Any, mode: Mode):
    cascade = small_cascade(preset=preset, mode=mode, schedule_steps=0)
    before = model_hash(cascade.original)
    state = new_cascade(cascade.original, cascade.config)
    step(cascade, state)
    assert not same_weights(state.G, cascade.original.G)
    assert not same_weights(state.D, cascade.original.D)
    assert model_hash(cascade.original) == before
    learning = state.D.parameters() if preset == "paper" else state.D.head_parameters()
    assert all(p.requires_grad for p in [*state.G.parameters(), *learning])
    assert not any(p.requires_grad for p in [*cascade.original.G.parameters(), *cascade.original.D.parameters()])


@pytest.mark.parametrize(("d_reached", "g_reached"), [(True, False), (False, True), (True, True), (False, False)])
def test_a_network_that_has_arrived_rests(d_reached: bool, g_reached: bool):
    cascade = small_cascade(schedule_steps=0)
    state = new_cascade(cascade.original, cascade.config)
    losses = step(cascade, state, Check({}, d_reached, g_reached))
    assert same_weights(state.D, cascade.original.D) == d_reached
    assert same_weights(state.G, cascade.original.G) == g_reached
    assert any(name.startswith("d_") for name in losses) != d_reached
    assert any(name.startswith("g_") for name in losses) != g_reached


def test_g_does_not_rest_before_the_schedule_has_ended():
    cascade = small_cascade(schedule_steps=2)
    state = new_cascade(cascade.original, cascade.config)
    there = Check({}, d_reached=True, g_reached=True)
    assert [any(name.startswith("g_") for name in step(cascade, state, there)) for _ in range(4)] == [True, True] + [
        False
    ] * 2


def test_steps_of_the_default_preset_go_where_they_should():
    """Forget images to F_label, held images where they were, forget latents to their substitutes, anchors held."""
    rates: dict[str, Any] = {"g_learning_rate": 5e-3, "d_learning_rate": 5e-3}
    cascade = small_cascade(schedule_steps=0, count=4, batch_size=4, anchor=1.0, **rates)
    state = new_cascade(cascade.original, cascade.config)
    first, *_, losses = [step(cascade, state) for _ in range(60)]
    assert losses["d_unlearning"] < 0.3 * first["d_unlearning"]
    assert losses["g_substitute"] < 0.5 * first["g_substitute"]
    assert losses["d_distillation"] < 0.3 * first["d_unlearning"]
    assert losses["anchor"] < first["g_substitute"]


@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize("mode", MODES)
def test_a_sham_step_unlearns_nothing(preset: Any, mode: Mode):
    """Neither a forget image nor a forget latent has a say in where the weights go."""
    weights = []
    for seed in (0, 1):
        cascade = small_cascade(preset=preset, mode=mode, r1_interval=2)
        cascade.sham = True
        cascade.fake_label = [-2.0, 5.0][seed]
        moved = cascade.latents.ws + seed
        object.__setattr__(cascade.latents, "ws", moved)
        object.__setattr__(cascade.latents, "finals", cascade.latents.finals[:] - seed)
        state = new_cascade(cascade.original, cascade.config)
        names = {name for _ in range(3) for name in step(cascade, state)}
        assert not names & {"d_unlearning", "g_substitute", "g_forget", "d_unlearning_fake"}
        assert names
        weights.append(state)
    assert same_weights(weights[0].G, weights[1].G)
    assert same_weights(weights[0].D, weights[1].D)


def test_r1_is_lazy():
    cascade = small_cascade(preset="paper", r1_interval=3)
    state = new_cascade(cascade.original, cascade.config)
    assert ["r1" in step(cascade, state) for _ in range(7)] == [True, False, False, True, False, False, True]
    cascade = small_cascade(preset="paper", r1_gamma=0.0)
    assert "r1" not in step(cascade, new_cascade(cascade.original, cascade.config))


# ----------------------------------------------------------------------------
# The paper's.


@pytest.mark.parametrize("mode", MODES)
def test_the_papers_step_has_four_phases(mode: Mode):
    cascade = small_cascade(preset="paper", mode=mode, r1_interval=0)
    losses = step(cascade, new_cascade(cascade.original, cascade.config))
    unlearning = ["d_unlearning", "d_unlearning_fake", "g_substitute", "g_forget"]
    learning = ["d_learning", "g_learning"] if mode == "few-shot" else ["d_learning", "d_distillation", "g_learning"]
    assert list(losses) == unlearning + learning


@pytest.mark.parametrize("mode", MODES)
def test_whom_d_sees_in_the_papers_phases(mode: Mode):
    """Every kind of image in a batch of its own: x_u, G(z), G(w_0), then retain images or G_0(z), G(z), G(z)."""
    cascade = small_cascade(preset="paper", mode=mode, r1_interval=0)
    state = new_cascade(cascade.original, cascade.config)
    seen = batches_seen(state.D)
    step(cascade, state)
    assert [len(batch) for batch in seen] == [8] * 6
    held = cascade.anchors if cascade.retain is None else cascade.retain
    known = [
        {place(image, fixed.images[:]) >= 0 for image in batch} for batch in seen for fixed in (cascade.forget, held)
    ]
    assert known[0] == {True}, "forget images come first"
    assert known[2 * 3 + 1] == {True}, "images to learn from come fourth"
    assert all(answer == {False} for number, answer in enumerate(known) if number not in (0, 7))


def test_the_papers_losses_are_those_of_the_equations(monkeypatch: pytest.MonkeyPatch):
    """Eqs. 6, 9, 13 and 14 from D's logits in the order in which D is asked (zero-shot; eq. 2 in few-shot below)."""
    cascade, logits, losses = run_paper_step("zero-shot", monkeypatch)
    forget, fake, substituted, real, learnt, g_learnt = logits
    original = cascade.original.D(*anchors_shown(cascade))[:, 0]
    assert losses == pytest.approx(
        {
            "d_unlearning": float(fake_label_loss(forget, -2.0)),
            "d_unlearning_fake": float(d_fake_loss(fake)),
            "g_substitute": losses["g_substitute"],
            "g_forget": float(g_forget_loss(substituted)),
            "d_learning": float(imitation_loss(real) + d_fake_loss(learnt)),
            "d_distillation": float(distillation_loss(real, original)),
            "g_learning": float(g_loss(g_learnt)),
        },
        rel=1e-5,
    )


def test_the_papers_few_shot_learning_is_equation_2(monkeypatch: pytest.MonkeyPatch):
    _, logits, losses = run_paper_step("few-shot", monkeypatch)
    assert losses["d_learning"] == pytest.approx(float(d_loss(logits[3], logits[4])), rel=1e-5)


def anchors_shown(cascade: Cascade) -> tuple[Tensor, Tensor | None]:
    rows = cyclic(len(cascade.anchors), 8, 0, "held", 0, torch.device("cpu"))
    return cascade.anchors.images[rows], None if cascade.anchors.c is None else cascade.anchors.c[rows]


def run_paper_step(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> tuple[Cascade, list[Tensor], dict[str, float]]:
    cascade = small_cascade(preset="paper", mode=mode, r1_interval=0)
    state = new_cascade(cascade.original, cascade.config)
    logits: list[Tensor] = []
    state.D.register_forward_hook(lambda _m, _i, out: logits.append(out.detach()[:, 0]))
    return cascade, logits, step(cascade, state)


@pytest.mark.parametrize("substitute", ["average", "truncation", "projection"])
def test_every_substitute_serves_both_presets(substitute: SubstituteName):
    for preset in ("default", "paper"):
        cascade = small_cascade(preset=preset, substitute=substitute)
        state = new_cascade(cascade.original, cascade.config)
        for _ in range(5):
            assert step(cascade, state)["g_substitute"] >= 0


@pytest.mark.parametrize("substitute", ["average", "other-class"])
@pytest.mark.parametrize("preset", ["default", "paper"])
def test_a_class_is_forgotten_by_inverted_and_mapped_latents(preset: Any, substitute: SubstituteName):
    cascade = small_cascade(preset=preset, substitute=substitute, classes=(1,), schedule_steps=0)
    state = new_cascade(cascade.original, cascade.config)
    seen = batches_seen(state.G.synthesis)
    step(cascade, state)
    with_forget = next(ws for ws in seen if place(ws[0], cascade.latents.ws) >= 0)
    places = [place(w_0, cascade.latents.ws) for w_0 in with_forget[:8]]
    inverted = 4 if preset == "paper" else 2
    assert sum(0 <= p < cascade.latents.inverted for p in places) == inverted
    assert sum(p >= cascade.latents.inverted for p in places) == 8 - inverted


# ----------------------------------------------------------------------------
# Small forget sets, networks of other kinds, and what it all costs.


@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize("count", [1, 3, 5])
@pytest.mark.parametrize("mode", MODES)
def test_forget_sets_smaller_than_a_group(preset: Any, count: int, mode: Mode):
    cascade = small_cascade(preset=preset, count=count, mode=mode)
    state = new_cascade(cascade.original, cascade.config)
    for _ in range(2):
        assert all(torch.isfinite(torch.tensor(loss)) for loss in step(cascade, state).values())


@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize(
    "networks",
    [{"c_dim": 0}, {"channels": 3}, {"D": "skip"}, {"D": "resnet", "G": "orig"}, {"group": None}, {"mbstd": 0}],
    ids=str,
)
def test_networks_of_every_kind(preset: Any, networks: dict[str, Any]):
    cascade = small_cascade(small_gan(**networks), preset=preset, mode="zero-shot")
    state = new_cascade(cascade.original, cascade.config)
    step(cascade, state)
    assert not same_weights(state.D, cascade.original.D)


@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("substitute", ["truncation", "average"])
@pytest.mark.parametrize("sham", [False, True])
def test_work_is_what_goes_through_the_networks(preset: Any, mode: Mode, substitute: SubstituteName, sham: bool):
    """Counted by hooks on every network, over steps on and off the schedule and with and without R1."""
    cascade = small_cascade(preset=preset, mode=mode, substitute=substitute, r1_interval=2, schedule_steps=2)
    cascade.sham = sham
    state = new_cascade(cascade.original, cascade.config)
    counter = ImageCounter().watch(state.D, state.G.synthesis, cascade.original.D, cascade.original.G.synthesis)
    for _ in range(3):
        step(cascade, state)
    assert state.work == counter.work
    assert min(state.work.g_forward, state.work.g_backward) > 0
    assert (min(state.work.d_forward, state.work.d_backward) > 0) == (preset == "paper"), "ours trains D's head alone"


def test_works_add_up():
    total = Work(1, 2, 3, 4)
    total.add(Work(10, 20, 30, 40))
    assert total == Work(11, 22, 33, 44)


# ----------------------------------------------------------------------------
# Descent and configuration.


def test_descent_goes_down_the_sum():
    weight = nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = torch.optim.Adam([weight], lr=0.1)
    values = descend(optimizer, {"a": weight[0] * 2, "b": -weight[1]})
    assert values == {"a": 2.0, "b": -2.0}
    assert weight.tolist() == pytest.approx([0.9, 2.1])


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_descent_stays_put_on_what_is_no_number(bad: float):
    weight = nn.Parameter(torch.tensor([1.0, 2.0]))
    values = descend(torch.optim.Adam([weight], lr=0.1), {"a": weight[0] * 2, "b": weight[1] * bad})
    assert not torch.isfinite(torch.tensor(values["b"]))
    assert weight.tolist() == [1.0, 2.0]


def options(**given: Any) -> UnlearnOptions:
    return UnlearnOptions("digits", "digits", forget_random=4, **given)


def test_options_reach_the_cascade():
    config = cascade_config(
        options(lambda1=2.0, lambda2=0.5, seed=7, max_steps=9, schedule_steps=3, destination="paper"),
        "item",
        "average",
        n_forget=4,
    )
    found = (config.lambda1, config.lambda2, config.seed, config.max_steps, config.schedule_steps, config.destination)
    assert found == (2.0, 0.5, 7, 9, 3, "paper")


def test_the_papers_preset_has_the_papers_destination():
    config = cascade_config(options(preset="paper"), "item", "truncation", n_forget=4)
    assert (config.preset, config.destination, config.auc_margin, config.margin) == ("paper", "paper", 0.0, 0.0)
    with pytest.raises(InputError, match="--destination separated out"):
        cascade_config(options(preset="paper", destination="separated"), "item", "truncation", n_forget=4)


@pytest.mark.parametrize(
    ("task", "substitute"), [("item", "other-class"), ("class", "truncation"), ("class", "projection")]
)
def test_substitutes_that_do_not_fit_their_task(task: Any, substitute: SubstituteName):
    with pytest.raises(InputError, match=f"{substitute} substitute is for"):
        cascade_config(options(), task, substitute, n_forget=4)


@pytest.mark.parametrize(
    ("n_forget", "anchor", "max_steps"), [(1, 20, 1500), (64, 20, 1500), (125, 16.92, 1500), (1024, 10, 12_288)]
)
def test_many_images_are_held_less_and_may_take_longer(n_forget: int, anchor: float, max_steps: int):
    config = cascade_config(options(), "item", "truncation", n_forget=n_forget)
    assert config.anchor == pytest.approx(anchor, rel=1e-3)
    assert config.max_steps == max_steps
    asked = cascade_config(options(anchor=7.0, max_steps=9), "item", "truncation", n_forget=n_forget)
    assert (asked.anchor, asked.max_steps) == (7, 9)
    assert (config.batch_size, config.substitute_batch_size, config.anchor_batch_size) == (16, 4, 20)
    papers = cascade_config(options(preset="paper"), "item", "truncation", n_forget=n_forget)
    assert (papers.max_steps, papers.substitute_batch_size) == (1000, None)
    of_class = cascade_config(options(), "class", "other-class", n_forget=n_forget)
    assert (of_class.anchor, of_class.max_steps, of_class.substitute_batch_size) == (2, 3000, None)


@pytest.mark.parametrize(
    ("mode", "n_forget", "size", "rate"),
    [
        ("few-shot", 64, None, 4e-3),
        ("few-shot", 256, 32, 8e-3),
        ("few-shot", 1024, 64, 8e-3),
        ("few-shot", 4096, 64, 8e-3),
        ("zero-shot", 64, None, 4e-3),
        ("zero-shot", 128, 23, 8e-3),
        ("zero-shot", 1024, 32, 8e-3),
    ],
)
def test_many_images_to_score_low_need_wider_steps_of_the_discriminator(
    mode: Mode, n_forget: int, size: int | None, rate: float
):
    config = cascade_config(options(mode=mode, destination="separated"), "item", "truncation", n_forget=n_forget)
    assert (config.d_batch_size, config.d_learning_rate) == (size, rate)
    calibrated = cascade_config(options(mode=mode), "item", "truncation", n_forget=n_forget)
    assert (calibrated.d_batch_size, calibrated.d_learning_rate) == (None, 4e-3)


def test_the_anchor_that_was_asked_for():
    asked = UnlearnOptions("digits", "digits", forget_random=8, anchor=10.0)
    assert cascade_config(asked, "item", "truncation", n_forget=4).anchor == 10
    assert cascade_config(replace(asked, anchor=None), "item", "truncation", n_forget=4).anchor == CascadeConfig.anchor
    assert cascade_config(replace(asked, anchor=None), "class", "other-class", n_forget=4).anchor == 2
    with pytest.raises(InputError, match="anchor is -1"):
        replace(asked, anchor=-1.0)
    with pytest.raises(InputError, match="--anchor is a term of the default preset"):
        replace(asked, preset="paper")
