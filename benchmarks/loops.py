"""Training loops written by hand, one batch per `next`."""

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import gan_lightning  # noqa: F401  (before torchvision, see gan_lightning/_torchvision.py)

# isort: split

import lightning
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Adam

Noise = Callable[[int, int], Tensor]  # (n, latent_dim) to z


@dataclass
class Game:
    """What all contestants train."""

    image_shape: tuple[int, ...]
    latent_dim: int
    batch_size: int
    networks: Callable[[], tuple[nn.Module, nn.Module]]


def plain_loop(
    game: Game, data: Iterable[Tensor], log_every: int, noise: Noise = torch.randn
) -> Iterator[nn.Module]:
    """The arithmetic of the library's game loop and nothing else.

    Fakes of D's turn without a graph, no weight gradients for the waiting player, an averaged
    generator, one row of statistics every `log_every` steps. Yields the averaged generator.
    """
    generator, discriminator = game.networks()
    average = copy.deepcopy(generator).requires_grad_(False).eval()
    g, d = list(generator.parameters()), list(discriminator.parameters())
    averaged = list(average.parameters())
    buffers = list(zip(average.buffers(), generator.buffers(), strict=True))
    adam_d, adam_g = (Adam(p, 2e-4, betas=(0.5, 0.999)) for p in (d, g))
    for step, x in enumerate(data, start=1):
        logging = step % log_every == 0
        _flip(g, False)
        adam_d.zero_grad()
        d_real = discriminator(x)
        d_fake = discriminator(generator(noise(len(x), game.latent_dim)))
        loss_d = functional.softplus(-d_real).mean() + functional.softplus(d_fake).mean()
        loss_d.backward()
        _flip(g, True)
        row = [loss_d, *_statistics(d_real), *_statistics(d_fake), _norm(d)] if logging else []
        adam_d.step()
        _flip(d, False)
        adam_g.zero_grad()
        d_fake = discriminator(generator(noise(len(x), game.latent_dim)))
        loss_g = functional.softplus(-d_fake).mean()
        loss_g.backward()
        _flip(d, True)
        row += [loss_g, _norm(g)] if logging else []
        adam_g.step()
        beta = 0.5 ** (len(x) / min(10_000, 0.05 * step * len(x)))
        with torch.no_grad():
            torch._foreach_lerp_(averaged, g, 1 - beta)
            for a, b in buffers:
                a.copy_(b)
        if logging:
            torch.stack([value.detach() for value in row]).tolist()
        yield average


class BareModule(lightning.LightningModule):
    """The plain loop in a LightningModule: what Lightning's manual optimization costs by itself."""

    def __init__(self, game: Game) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.discriminator = game.networks()
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.latent_dim, self.step = game.latent_dim, 0

    def configure_optimizers(self):
        """D's and G's Adam."""
        players = (self.discriminator, self.generator)
        return [Adam(p.parameters(), 2e-4, betas=(0.5, 0.999)) for p in players]

    def on_train_start(self):
        """Walk the modules once."""
        self.g, self.d = list(self.generator.parameters()), list(self.discriminator.parameters())
        self.averaged = list(self.average.parameters())

    def training_step(self, x, batch_idx):
        """One update of each player."""
        generator, discriminator = self.generator, self.discriminator
        adam_d, adam_g = self.optimizers()
        self.step += 1
        _flip(self.g, False)
        adam_d.zero_grad()
        d_real = discriminator(x)
        d_fake = discriminator(generator(torch.randn(len(x), self.latent_dim)))
        self.manual_backward(
            functional.softplus(-d_real).mean() + functional.softplus(d_fake).mean()
        )
        _flip(self.g, True)
        adam_d.step()
        _flip(self.d, False)
        adam_g.zero_grad()
        d_fake = discriminator(generator(torch.randn(len(x), self.latent_dim)))
        self.manual_backward(functional.softplus(-d_fake).mean())
        _flip(self.d, True)
        adam_g.step()
        beta = 0.5 ** (len(x) / min(10_000, 0.05 * self.step * len(x)))
        with torch.no_grad():
            torch._foreach_lerp_(self.averaged, self.g, 1 - beta)


def usual_loop(game: Game, data: Iterable[Tensor], reuse_fakes: bool = False) -> Iterator[None]:
    """The loop of most scripts: detached fakes, gradients for everybody, numbers every step.

    With `reuse_fakes` the generator learns from the fakes of D's turn, which saves a forward pass
    of G (PyTorch's DCGAN example); without, from fresh ones (Goodfellow et al. 2014, Algorithm 1).
    """
    generator, discriminator = game.networks()
    adam_d = Adam(discriminator.parameters(), 2e-4, betas=(0.5, 0.999))
    adam_g = Adam(generator.parameters(), 2e-4, betas=(0.5, 0.999))
    bce = nn.BCEWithLogitsLoss()
    real, fake = torch.ones(game.batch_size), torch.zeros(game.batch_size)
    for x in data:
        adam_d.zero_grad()
        loss_real = bce(discriminator(x), real)
        loss_real.backward()
        x_fake = generator(torch.randn(len(x), game.latent_dim))
        loss_fake = bce(discriminator(x_fake.detach()), fake)
        loss_fake.backward()
        adam_d.step()
        adam_g.zero_grad()
        if not reuse_fakes:
            x_fake = generator(torch.randn(len(x), game.latent_dim))
        loss_g = bce(discriminator(x_fake), real)
        loss_g.backward()
        adam_g.step()
        _ = loss_real.item() + loss_fake.item(), loss_g.item()
        yield


def _flip(parameters: list[nn.Parameter], required: bool) -> None:
    for parameter in parameters:
        parameter.requires_grad = required


def _statistics(logits: Tensor) -> tuple[Tensor, Tensor]:
    return logits.mean(), logits.sign().mean()


def _norm(parameters: list[nn.Parameter]) -> Tensor:
    return nn.utils.get_total_norm([p.grad for p in parameters])
