"""A student learns the features of a teacher that stays as it is."""

import pytest
import torch
from ruamel.yaml import YAML
from torch.nn import functional as F

from speechbrain_apcodec.training.distillation import (
    FeatureDistillation,
    captured_features,
)
from speechbrain_apcodec.utils.errors import ConfigurationError
from tests.installed import ROOT
from tests.tiny_model import write_tiny_model
from tests.training.tiny_brain import (
    changed,
    copied,
    fit,
    make_brain,
    make_hparams,
    make_items,
)
from tests.training.tiny_run import history


def mapping(name):
    """Read a mapping of the YAML without building what else is in it."""
    text = (ROOT / "hparams" / "parts" / "distillation.yaml").read_text()
    return dict(YAML().load(text)[name])


@pytest.fixture(scope="module")
def teacher_folder(tmp_path_factory):
    """A tiny non-causal model with other widths than the student."""
    folder = tmp_path_factory.mktemp("teacher") / "model"
    # The student's spectrum is what the teacher sees: of the same precision.
    write_tiny_model(
        folder, channels=12, hidden_channels=20, double_precision=True
    )
    return folder


def distilled_hparams(output_folder, teacher_folder, **overrides):
    return make_hparams(
        output_folder,
        "mini_streaming_distilled.yaml",
        teacher_model=str(teacher_folder),
        **overrides,
    )


@pytest.fixture
def distillation(tmp_path, teacher_folder):
    hparams = distilled_hparams(tmp_path, teacher_folder)
    return hparams["make_distillation"](hparams["codec"]), hparams["codec"]


def run(distillation, student, wavs):
    with captured_features(student, distillation.names) as features:
        output = student(wavs)
    return distillation(features, output.natural), features


def test_every_group_compares_the_layers_that_it_names(distillation):
    distillation, student = distillation
    assert set(distillation.groups) == set(mapping("distilled_layers"))
    sizes = {group: len(n) for group, n in distillation.groups.items()}
    assert sizes == {
        "input_convolutions": 4,
        "blocks": 4,  # one a sub-network
        "downsample": 2,
        "latent": 1,
        "decoder_input": 1,
        "upsample": 2,
        "heads": 3,
    }
    terms, _ = run(distillation, student, torch.randn(2, 2200))
    assert set(terms) == {
        name for name in mapping("loss_weights") if "distillation" in name
    }


def test_terms_are_the_summed_mean_squared_errors(distillation):
    distillation, student = distillation
    wavs = 0.1 * torch.randn(2, 2200)
    terms, features = run(distillation, student, wavs)
    names = distillation.groups["heads"]
    with (
        captured_features(distillation.teacher, names) as targets,
        torch.no_grad(),
    ):
        distillation.teacher(wavs)
    expected = sum(F.mse_loss(features[n], targets[n]) for n in names)
    torch.testing.assert_close(terms["distillation_heads"], expected)
    # Where the widths differ, through the projection.
    (name,) = distillation.groups["decoder_input"]
    projection = distillation.projections[name.replace(".", "/")]
    assert projection.weight.shape == (12, 8)
    with (
        captured_features(distillation.teacher, [name]) as targets,
        torch.no_grad(),
    ):
        distillation.teacher(wavs)
    torch.testing.assert_close(
        terms["distillation_decoder_input"],
        F.mse_loss(projection(features[name]), targets[name]),
    )


def test_a_teacher_that_is_its_own_student_has_no_error(distillation):
    distillation, _ = distillation
    teacher = distillation.teacher
    own = FeatureDistillation(
        teacher,
        lambda **_: type("Loaded", (), {"mods": {"codec": teacher}}),
        mapping("distilled_layers"),
    )
    assert not own.projections
    terms, _ = run(own, teacher, torch.randn(1, 2200))
    assert all(float(term) < 1e-9 for term in terms.values())


def test_gradients_reach_student_and_projections_only(distillation):
    distillation, student = distillation
    distillation.train()
    assert not any(m.training for m in distillation.teacher.modules())
    terms, _ = run(distillation, student, torch.randn(2, 2200))
    sum(terms.values()).backward()
    teacher = distillation.teacher.parameters()
    assert not any(p.requires_grad or p.grad is not None for p in teacher)
    for projection in distillation.projections.values():
        assert projection.weight.grad.abs().max() > 0
    grads = dict(student.named_parameters())
    # All that lies before a distilled layer; the quantiser by its gradient.
    for name in (
        "encoder.phase.backbone.input_convolution.weight",
        "decoder.amplitude.backbone.blocks.0.expand.weight",
    ):
        assert grads[name].grad.abs().max() > 0


def test_capturing_leaves_no_hook_behind(distillation):
    distillation, student = distillation
    run(distillation, student, torch.randn(1, 2200))
    for codec in (student, distillation.teacher):
        assert not any(module._forward_hooks for module in codec.modules())


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({"a": "encoder.*.nothing"}, "no such layer"),
        ({"a": "encoder.*.backbone.blocks.1"}, "teacher has no"),
    ],
)
def test_layers_must_exist(tmp_path, teacher_folder, layers, message):
    hparams = distilled_hparams(tmp_path, teacher_folder, num_blocks=2)
    make = hparams["make_distillation"].func
    keywords = hparams["make_distillation"].keywords | {"layers": layers}
    with pytest.raises(ConfigurationError, match=message):
        make(hparams["codec"], **keywords)


def test_frames_must_agree(tmp_path, teacher_folder):
    hparams = distilled_hparams(
        tmp_path,
        teacher_folder,
        stft_hop_length=80,
        segment_length=4400,
        valid_segment_length=4400,
    )
    with pytest.raises(ConfigurationError, match="teacher has a stft"):
        hparams["make_distillation"](hparams["codec"])


def test_training_moves_the_student_towards_the_teacher(
    tmp_path, teacher_folder
):
    brain = make_brain(
        tmp_path,
        yaml="mini_streaming_distilled.yaml",
        teacher_model=str(teacher_folder),
        restart_every=0,
        learning_rate=0.01,
        loss_weights={"distillation_heads": 100.0},
        num_codebooks=1,
    )
    before = copied(brain.distillation.teacher)
    fit(brain, make_items(4), epochs=8)
    heads = [
        line["distillation_heads"]
        for line in history(tmp_path)
        if line["stage"] == "train"
    ]
    assert heads[-1] < 0.95 * heads[0]
    assert not changed(brain.distillation.teacher, before)
    # Teacher weights are no part of a checkpoint; projections are.
    saved = {p.name for p in tmp_path.glob("save/CKPT*/*")}
    assert "projections.ckpt" in saved
    size = max(p.stat().st_size for p in tmp_path.glob("save/*/projections*"))
    teacher = sum(p.numel() * 4 for p in before.values())
    assert size < teacher / 4
