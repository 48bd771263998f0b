"""The paper as a competent reader writes it down first, to compare with.

Tensors are [batch, channels, frames] as in the figures, weights are
normalised in every call, the quantiser computes its losses when it encodes,
differences of phases are products with difference matrices, and every pass
of a discriminator computes all its gradients. It loads the state of the
codec in this package, whose outputs and gradients it has
(``tests/benchmarks/test_literal.py``).

Paper: https://arxiv.org/abs/2402.10533

Authors
 * speechbrain_apcodec contributors, 2026
"""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm
from torchaudio.functional import melscale_fbanks

STFT = (1024, 40, 320)


class GlobalResponseNorm(nn.Module):
    """GRN over the utterance, of [batch, frames, channels]."""

    def __init__(self, channels):
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, channels))

    def forward(self, x):
        response = torch.norm(x, p=2, dim=1, keepdim=True)
        relative = response / (response.mean(dim=-1, keepdim=True) + 1e-6)
        return self.gamma * (x * relative) + self.beta + x


class Block(nn.Module):
    """Modified ConvNeXt v2 block (figure 2)."""

    def __init__(self, channels, hidden_channels):
        super().__init__()
        self.depthwise = nn.Conv1d(
            channels, channels, 7, padding=3, groups=channels
        )
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, hidden_channels)
        self.grn = GlobalResponseNorm(hidden_channels)
        self.project = nn.Linear(hidden_channels, channels)

    def forward(self, x):
        residual = x
        x = self.depthwise(x).transpose(1, 2)
        x = F.gelu(self.expand(self.norm(x)))
        x = self.project(self.grn(x))
        return residual + x.transpose(1, 2)


class Backbone(nn.Module):
    """Input convolution, blocks, output norm and Linear."""

    def __init__(self, in_channels, channels, hidden_channels, num_blocks):
        super().__init__()
        self.input_convolution = nn.Conv1d(in_channels, channels, 7, padding=3)
        self.input_norm = nn.LayerNorm(channels, eps=1e-6)
        self.blocks = nn.ModuleList(
            Block(channels, hidden_channels) for _ in range(num_blocks)
        )
        self.output_norm = nn.LayerNorm(channels, eps=1e-6)
        self.output_linear = nn.Linear(channels, channels)

    def forward(self, x):
        x = self.input_convolution(x)
        x = self.input_norm(x.transpose(1, 2)).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        x = self.output_linear(self.output_norm(x.transpose(1, 2)))
        return x.transpose(1, 2)


class SubEncoder(nn.Module):
    """Backbone and strided convolution."""

    def __init__(self, bins, channels, hidden_channels, num_blocks, out):
        super().__init__()
        self.backbone = Backbone(bins, channels, hidden_channels, num_blocks)
        self.downsample = weight_norm(
            nn.Conv1d(channels, out, 7, stride=8, padding=3)
        )

    def forward(self, x):
        return self.downsample(self.backbone(x))


class Encoder(nn.Module):
    """Two sub-encoders and the convolution that joins them."""

    def __init__(self, latent_dim, out, **size):
        super().__init__()
        self.amplitude = SubEncoder(**size, out=out)
        self.phase = SubEncoder(**size, out=out)
        self.joint_convolution = weight_norm(
            nn.Conv1d(2 * out, latent_dim, 7, padding=3)
        )

    def forward(self, log_amplitude, phase):
        joint = [self.amplitude(log_amplitude), self.phase(phase)]
        return self.joint_convolution(torch.cat(joint, dim=1))


class SubDecoder(nn.Module):
    """Transposed convolution, backbone and heads."""

    def __init__(self, bins, channels, hidden_channels, num_blocks, num_heads):
        super().__init__()
        self.upsample = weight_norm(
            nn.ConvTranspose1d(channels, channels, 16, stride=8, padding=4)
        )
        self.backbone = Backbone(
            channels, channels, hidden_channels, num_blocks
        )
        self.heads = nn.ModuleList(
            weight_norm(nn.Conv1d(channels, bins, 7, padding=3))
            for _ in range(num_heads)
        )

    def forward(self, x):
        x = self.backbone(self.upsample(x))
        return [head(x) for head in self.heads]


class Decoder(nn.Module):
    """Input convolution and two sub-decoders."""

    def __init__(self, latent_dim, channels, **size):
        super().__init__()
        self.input_convolution = weight_norm(
            nn.Conv1d(latent_dim, channels, 7, padding=3)
        )
        self.amplitude = SubDecoder(channels=channels, num_heads=1, **size)
        self.phase = SubDecoder(channels=channels, num_heads=2, **size)

    def forward(self, latent):
        x = self.input_convolution(latent)
        (log_amplitude,) = self.amplitude(x)
        real, imaginary = self.phase(x)
        return log_amplitude, torch.atan2(imaginary.float(), real.float())


class VectorQuantizer(nn.Module):
    """One stage, as DAC has it."""

    def __init__(self, latent_dim, size, dim):
        super().__init__()
        self.in_proj = weight_norm(nn.Conv1d(latent_dim, dim, 1))
        self.out_proj = weight_norm(nn.Conv1d(dim, latent_dim, 1))
        self.codebook = nn.Embedding(size, dim)

    def forward(self, residual):
        projected = self.in_proj(residual).float()
        flat = F.normalize(projected.transpose(1, 2).flatten(0, 1))
        codebook = F.normalize(self.codebook.weight)
        distances = (
            flat.pow(2).sum(1, keepdim=True)
            - 2 * flat @ codebook.t()
            + codebook.pow(2).sum(1, keepdim=True).t()
        )
        tokens = (-distances).max(1)[1].view(len(projected), -1)
        codewords = self.codebook(tokens).transpose(1, 2)
        commitment = F.mse_loss(projected, codewords.detach())
        codebook_loss = F.mse_loss(codewords, projected.detach())
        straight_through = projected + (codewords - projected).detach()
        output = self.out_proj(straight_through)
        return output, tokens, codebook_loss, commitment

    def decode(self, tokens):
        return self.out_proj(self.codebook(tokens).transpose(1, 2))


class Quantizer(nn.Module):
    """Residual quantiser."""

    def __init__(self, latent_dim, num_codebooks, size, dim):
        super().__init__()
        self.quantizers = nn.ModuleList(
            VectorQuantizer(latent_dim, size, dim) for _ in range(num_codebooks)
        )

    def forward(self, latent):
        quantized, tokens, losses = 0.0, [], [0.0, 0.0]
        residual = latent
        for stage in self.quantizers:
            output, index, codebook, commitment = stage(residual)
            quantized = quantized + output
            residual = residual - output
            tokens.append(index)
            losses = [losses[0] + codebook, losses[1] + commitment]
        return quantized, torch.stack(tokens, dim=-1), *losses

    def decode(self, tokens):
        return sum(
            stage.decode(tokens[..., k])
            for k, stage in enumerate(self.quantizers)
        )


class LiteralCodec(nn.Module):
    """The published network at 48 kHz.

    Arguments
    ---------
    codec : speechbrain_apcodec.lobes.codec.Codec
        Gives the sizes and, before it was folded, the weights.
    """

    def __init__(self, codec):
        super().__init__()
        backbone = codec.encoder.amplitude.backbone
        size = {
            "bins": codec.encoder.bins,
            "channels": backbone.output_linear.out_features,
            "hidden_channels": backbone.blocks[0].expand.out_features,
            "num_blocks": len(backbone.blocks),
        }
        out = codec.encoder.amplitude.downsample.out_channels
        stage = codec.quantizer.quantizers[0].codebook
        self.encoder = Encoder(codec.latent_dim, out, **size)
        self.quantizer = Quantizer(
            codec.latent_dim,
            codec.num_codebooks,
            stage.num_embeddings,
            stage.embedding_dim,
        )
        self.decoder = Decoder(codec.latent_dim, **size)
        self.load_state_dict(codec.state_dict())

    def analysis(self, wavs):
        """Amplitude and phase of waveforms, and the complex parts."""
        n_fft, hop, length = STFT
        window = torch.hann_window(length, device=wavs.device)
        spectrum = torch.stft(
            wavs.float(),
            n_fft,
            hop,
            length,
            window,
            center=True,
            return_complex=True,
        )
        log_amplitude = torch.log(spectrum.abs() + 1e-5)
        return log_amplitude, spectrum.angle(), spectrum.real, spectrum.imag

    def synthesis(self, log_amplitude, phase):
        """Waveform of amplitude and phase, and the complex parts."""
        n_fft, hop, length = STFT
        amplitude = torch.exp(log_amplitude.float())
        real, imaginary = amplitude * phase.cos(), amplitude * phase.sin()
        window = torch.hann_window(length, device=phase.device)
        spectrum = torch.complex(real, imaginary)
        wavs = torch.istft(spectrum, n_fft, hop, length, window, center=True)
        return wavs, real, imaginary

    def encode(self, wavs):
        """Tokens of waveforms."""
        log_amplitude, phase, _, _ = self.analysis(wavs)
        return self.quantizer(self.encoder(log_amplitude, phase))[1]

    def decode(self, tokens):
        """Waveforms of tokens, 280 samples shorter than the frames."""
        return self.synthesis(*self.decoder(self.quantizer.decode(tokens)))[0]


def difference_matrix(size, like):
    """Difference operator with the published border term."""
    ones = torch.ones(size, device=like.device, dtype=like.dtype)
    return torch.diag(ones) - torch.diag(ones[1:], 1)


def anti_wrapped(x):
    """Absolute difference of two angles."""
    return torch.abs(x - torch.round(x / (2 * math.pi)) * 2 * math.pi)


def phase_losses(natural, predicted):
    """AW-IP, AW-GD and AW-IAF, by difference matrices."""
    frequency = difference_matrix(natural.shape[1], natural)
    time = difference_matrix(natural.shape[2], natural)
    group_delays = [
        torch.matmul(phase.transpose(1, 2), frequency)
        for phase in (natural, predicted)
    ]
    angular_frequencies = [
        torch.matmul(phase, time) for phase in (natural, predicted)
    ]
    return [
        anti_wrapped(theirs - ours).mean()
        for theirs, ours in (
            (natural, predicted),
            group_delays,
            angular_frequencies,
        )
    ]


def log_mel(wavs, num_mels=80, sample_rate=48000):
    """Log-mel spectrogram, with an STFT and a filter bank of its own."""
    n_fft, hop, length = STFT
    bank = melscale_fbanks(
        n_fft // 2 + 1,
        0.0,
        sample_rate / 2,
        num_mels,
        sample_rate,
        norm="slaney",
        mel_scale="slaney",
    ).t()
    window = torch.hann_window(length).to(wavs)
    spectrum = torch.stft(
        wavs, n_fft, hop, length, window, center=True, return_complex=True
    )
    power = spectrum.real.pow(2) + spectrum.imag.pow(2)
    magnitude = torch.sqrt(power + 1e-9)
    bands = torch.matmul(bank.to(magnitude), magnitude)
    return torch.log(torch.clamp(bands, min=1e-5))


class LiteralTraining:
    """One step of GAN training, pass by pass.

    Arguments
    ---------
    codec : LiteralCodec
        The generator.
    discriminators : speechbrain_apcodec.lobes.discriminators.Discriminators
        The discriminators.
    weights : dict
        Loss weights, of ``hparams/base.yaml``.
    autocast : callable
        Makes the context of the networks' passes.
    optimizers : tuple of torch.optim.Optimizer
        Of generator and discriminators; none to look at gradients.
    """

    def __init__(
        self, codec, discriminators, weights, autocast, optimizers=None
    ):
        self.codec, self.discriminators = codec, discriminators
        self.weights, self.autocast = weights, autocast
        self.optimizers = optimizers

    def discriminator_loss(self, wavs, decoded):
        """Hinge loss, real and decoded speech in passes of their own."""
        weights = self.weights
        with self.autocast():
            real = self.discriminators(wavs)
            fake = self.discriminators(decoded.detach())
        return sum(
            weights[f"{name}_discriminator"]
            * (F.relu(1 - r.float()).mean() + F.relu(1 + f.float()).mean())
            for name in real
            for (r, _), (f, _) in zip(real[name], fake[name], strict=True)
        )

    def generator_loss(self, wavs, natural, output):
        """All terms of the generator."""
        weights = self.weights
        log_amplitude, phase, real, imaginary = natural
        decoded, their_amplitude, their_phase, r, i, codebook, commit = output
        loss = weights["amplitude"] * F.mse_loss(log_amplitude, their_amplitude)
        names = (
            "instantaneous_phase",
            "group_delay",
            "instantaneous_angular_frequency",
        )
        terms = phase_losses(phase, their_phase)
        for name, value in zip(names, terms, strict=True):
            loss = loss + weights[name] * value
        _, _, again_real, again_imaginary = self.codec.analysis(decoded)
        loss = loss + weights["consistency"] * (
            F.mse_loss(r, again_real) + F.mse_loss(i, again_imaginary)
        )
        loss = loss + weights["real"] * F.l1_loss(r, real)
        loss = loss + weights["imaginary"] * F.l1_loss(i, imaginary)
        mel, their_mel = log_mel(wavs), log_mel(decoded)
        loss = loss + weights["mel_mae"] * F.l1_loss(their_mel, mel)
        loss = loss + weights["mel_mse"] * F.mse_loss(their_mel, mel)
        loss = loss + weights["codebook"] * codebook
        loss = loss + weights["commitment"] * commit
        with self.autocast():
            true = self.discriminators(wavs)
            fake = self.discriminators(decoded)
        for name in true:
            for (_, maps), (score, fake_maps) in zip(
                true[name], fake[name], strict=True
            ):
                hinge = F.relu(1 - score.float()).mean()
                loss = loss + weights[f"{name}_generator"] * hinge
                for theirs, ours in zip(maps, fake_maps, strict=True):
                    distance = F.l1_loss(theirs.float(), ours.float())
                    weight = weights[f"{name}_feature_matching"]
                    loss = loss + weight * distance
        return loss

    def gradients(self, wavs):
        """Forward and backward of both players, as the step does it."""
        natural = self.codec.analysis(wavs)
        with self.autocast():
            latent = self.codec.encoder(*natural[:2])
            quantized, _, codebook, commit = self.codec.quantizer(
                latent.float()
            )
            log_amplitude, phase = self.codec.decoder(quantized)
        log_amplitude = log_amplitude.float()
        decoded, real, imaginary = self.codec.synthesis(log_amplitude, phase)
        self.discriminators.zero_grad()
        self.discriminator_loss(wavs, decoded).backward()
        yield "discriminators"
        self.codec.zero_grad()
        output = (
            decoded, log_amplitude, phase, real, imaginary, codebook, commit
        )  # fmt: skip
        self.generator_loss(wavs, natural, output).backward()
        yield "generator"

    def step(self, wavs):
        """Train both players on a batch."""
        generator, discriminators = self.optimizers
        for player in self.gradients(wavs):
            if player == "generator":
                generator.step()
            else:
                discriminators.step()
