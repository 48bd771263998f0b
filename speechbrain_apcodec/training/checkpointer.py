"""Checkpoints that count only when they are whole.

Authors
 * speechbrain_apcodec contributors, 2026
"""

import shutil

from speechbrain.utils.checkpoints import METAFNAME, Checkpointer
from speechbrain.utils.distributed import ddp_barrier, if_main_process

# The meta file while the others are being written.
_UNFINISHED = f".{METAFNAME}"


class AtomicCheckpointer(Checkpointer):
    """SpeechBrain's checkpointer, safe against a kill while it saves.

    SpeechBrain takes a folder with a meta file for a checkpoint, and writes
    that file first: after a kill the newest checkpoint lacks files, and the
    run can neither resume nor start. Here the meta file gets its name last.

    Arguments
    ---------
    *args : tuple
        See ``speechbrain.utils.checkpoints.Checkpointer``.
    **kwargs : dict
        See ``speechbrain.utils.checkpoints.Checkpointer``.
    """

    def save_checkpoint(self, *args, **kwargs):
        """Save a checkpoint; see SpeechBrain's.

        Arguments
        ---------
        *args : tuple
            See ``Checkpointer.save_checkpoint``.
        **kwargs : dict
            See ``Checkpointer.save_checkpoint``.

        Returns
        -------
        speechbrain.utils.checkpoints.Checkpoint or None
            None on other processes than the main one.
        """
        if if_main_process():
            for unfinished in self.checkpoints_dir.glob(f"*/{_UNFINISHED}"):
                shutil.rmtree(unfinished.parent)
        checkpoint = super().save_checkpoint(*args, **kwargs)
        ddp_barrier()
        if checkpoint is not None:
            unfinished = checkpoint.path / _UNFINISHED
            unfinished.replace(checkpoint.path / METAFNAME)
        ddp_barrier()
        return checkpoint

    def _save_checkpoint_metafile(self, fpath, *args, **kwargs):
        return super()._save_checkpoint_metafile(
            fpath.with_name(_UNFINISHED), *args, **kwargs
        )
