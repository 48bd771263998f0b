"""The published losses, through ``convert`` and the losses' modules."""

import pytest

from speechbrain_apcodec.release.reference_losses import reference_losses
from tests.golden_weights import golden_losses

# Converting takes seconds: one process does it for all.
pytestmark = pytest.mark.xdist_group("golden")

REFERENCE = golden_losses()


@pytest.fixture(scope="module")
def losses(golden_model_folder, golden_loss_file):
    return reference_losses(
        golden_model_folder, golden_loss_file, run_opts={"device": "cpu"}
    )


def test_every_term_is_there(losses):
    assert set(losses) == set(REFERENCE)


@pytest.mark.parametrize("name", REFERENCE)
def test_golden_loss(losses, name):
    assert losses[name] == pytest.approx(REFERENCE[name], rel=1e-4)
