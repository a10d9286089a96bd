"""What the model predicts while it is trained: film strips and sounds of windows of the validation split.

The windows are the same each time, and the weights are the moving average. Before stage 3 there is only what the stage
predicts. The true sound is that of the tokenizer, as is the predicted one.

Shapes: B windows · N steps · H W image · C channels · E ears · S samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from avw.model.av_cdit import AvCdit
from avw.model.frames import EncodedFrames
from avw.model.pictures.animation import common_scale, write_wave
from avw.model.pictures.film_strip import StripRow, film_strip, shown_steps
from avw.model.pictures.ink import IMAGINED, TRUTH
from avw.model.tokenizers.tokenizers import Tokenizers
from avw.model.training.configuration.config import TrainConfig
from avw.model.training.train_log import Board
from avw.model.world_model import WorldModel

FOLDER = "training-samples"
WINDOWS, STEPS, DENOISING, CELL = 2, 16, 16, 128


@contextmanager
def lent(net: AvCdit) -> Iterator[None]:
    """Afterwards the network is trained as before. A `WorldModel` switches its gradients off."""
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    training = net.training
    try:
        yield
    finally:
        net.train(training)
        for parameter in trained:
            parameter.requires_grad_(True)


class Samples:
    """frames: of the validation split · out: folder of the run"""

    def __init__(
        self, frames: EncodedFrames, tokenizers: Tokenizers, config: TrainConfig, stage: str, out: Path,
        boards: Sequence[Board] = (),
    ) -> None:  # fmt: skip
        self.frames, self.tokenizers, self.config, self.stage = frames, tokenizers, config, stage
        self.folder, self.boards = out / FOLDER, boards
        windows = frames.windows
        self.steps = min(STEPS, config.windows.max_offset, int(windows.lengths_E.max()) - 1)
        t_B = windows.at(self.steps, WINDOWS).context_BT[:, -1]
        self.window = windows.window(t_B, np.tile(np.arange(1, self.steps + 1), (len(t_B), 1)))

    @staticmethod
    def due(config: TrainConfig, stage: str, step: int) -> bool:
        """Whether to write samples after a step."""
        return step % config.sample_every == 0 or step == config.steps[stage]

    def write(self, net: AvCdit, step: int) -> list[Path]:
        """Write stage-S-STEP-NUMBER.png, -model.wav and -truth.wav, and show them on the boards. Returns the paths."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with lent(net):
            device = next(net.parameters()).device
            model = WorldModel(net, self.tokenizers, self.config.diffusion, hfov=self.frames.hfov, device=device)
            predicted = model.predict_window(self.frames, self.window, steps=min(model.denoising_steps, DENOISING))
            images, _ = model.decode_views(predicted)
        heard = predicted.latents["audio"].unflatten(0, (-1, self.steps)).cpu()
        written = []
        for number, (imagined_NHWC, latent_NAD) in enumerate(
            zip(images.unflatten(0, (-1, self.steps)).cpu().numpy(), heard, strict=True)
        ):
            stem = f"stage-{self.stage}-{step:07d}-{number}"
            if "vision" in self.config.predicted(self.stage):
                written.append(self._strip(stem, number, imagined_NHWC, step))
            if "audio" in self.config.predicted(self.stage):
                written += self._sounds(stem, number, latent_NAD, step)
        return written

    def _strip(self, stem: str, number: int, imagined_NHWC: np.ndarray, step: int) -> Path:
        shown = shown_steps(self.steps)
        chosen = [index - 1 for index in shown]
        truth_NHWC = self.frames.rgb_FHWC[self.window.target_BK[number]]
        now_HWC = self.frames.rgb_FHWC[self.window.context_BT[number, -1]]
        rows = [
            StripRow(label="truth", pictures=[now_HWC, *truth_NHWC[chosen]], colour=TRUTH),
            StripRow(label="imagined", pictures=[None, *imagined_NHWC[chosen]], colour=IMAGINED),
        ]
        strip = film_strip(rows, ["now", *(f"+{index}" for index in shown)], cell=CELL)
        path = self.folder / f"{stem}.png"
        strip.save(path)
        for board in self.boards:
            board.picture(self.stage, step, f"sample {number}", np.asarray(strip))
        return path

    def _sounds(self, stem: str, number: int, latent_NAD: torch.Tensor, step: int) -> list[Path]:
        audio = self.tokenizers.audio
        true_NAD = torch.from_numpy(self.frames.audio_2FAD[0, self.window.target_BK[number]]).float()
        device = next(audio.buffers()).device
        sounds = {
            name: audio.decode_sequence(latent.to(device)).cpu().numpy()
            for name, latent in (("truth", true_NAD), ("model", latent_NAD))
        }
        scale = common_scale(sounds["truth"])
        written = []
        for name, sound_ES in sounds.items():
            path = self.folder / f"{stem}-{name}.wav"
            write_wave(path, sound_ES * scale)
            written.append(path)
            for board in self.boards:
                board.sound(self.stage, step, f"sample {number} {name}", np.clip(sound_ES * scale, -1, 1))
        return written
