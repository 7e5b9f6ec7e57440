"""What every family must do, whatever its game."""

import inspect
import re
from pathlib import Path

import pytest
import torch
from cases import CASES
from support import Rows, Turns, differences, load, state_of, trainer

from gan_lightning import families
from gan_lightning.families.base import AbstractGAN

ROOT = Path(__file__).parents[2]
FAMILIES = sorted(
    name
    for name in families.__all__
    if issubclass(getattr(families, name), AbstractGAN) and not name.startswith("Abstract")
)
BATCH = 8
every_case = pytest.mark.parametrize("name", CASES)


def fit(game, case, **kwargs):
    t = trainer(**kwargs)
    t.fit(game, datamodule=case.data(BATCH, 11))
    return t


def test_every_family_has_a_case_and_is_final():
    assert {case.family.__name__ for case in CASES.values()} == set(FAMILIES)
    assert all(getattr(getattr(families, name), "__final__", False) for name in FAMILIES)


@every_case
def test_one_step_moves_one_player_at_a_time_and_all_of_it(name):
    turns = Turns()
    fit(CASES[name].make(), CASES[name], max_steps=1, callbacks=[turns])
    turns.check(discriminator_steps=1)


@every_case
def test_bf16_mixed(name):
    game = CASES[name].make(torch.float32)
    rows = Rows()
    fit(game, CASES[name], max_steps=3, precision="bf16-mixed", logger=[rows])
    assert len(rows.rows) == 3
    for _, row in rows.rows:
        assert all(abs(value) < 1e4 for value in row.values()), row
    assert {p.dtype for p in game.parameters()} == {torch.float32}
    assert all(torch.isfinite(p).all() for p in game.parameters())


@every_case
def test_resume_is_bit_exact(name, tmp_path):
    case = CASES[name]
    fit(case.make(), case, max_steps=6).save_checkpoint(tmp_path / "whole.ckpt")
    fit(case.make(), case, max_steps=3).save_checkpoint(tmp_path / "half.ckpt")
    game = case.make()
    t = trainer(max_steps=6)
    t.fit(
        game, datamodule=case.data(BATCH, 11), ckpt_path=tmp_path / "half.ckpt", weights_only=True
    )
    t.save_checkpoint(tmp_path / "resumed.ckpt")
    whole, resumed = load(tmp_path / "whole.ckpt"), load(tmp_path / "resumed.ckpt")
    assert differences(state_of(whole), state_of(resumed)) == []


@every_case
def test_load_from_checkpoint(name, tmp_path):
    case = CASES[name]
    game = case.make(torch.float32)
    fit(game, case, max_steps=1).save_checkpoint(tmp_path / "a.ckpt")
    names = ("generator", "discriminator", "encoder", "divergence")
    made = {n: getattr(case.make(torch.float32), n) for n in names if hasattr(game, n)}
    if case.family is families.DCGAN:  # it builds its own
        made = {}
    again = case.family.load_from_checkpoint(tmp_path / "a.ckpt", strict=True, **made)
    assert differences(game.state_dict(), again.state_dict()) == []
    assert again.conditional == game.conditional


@every_case
def test_frozen_layers_stay_frozen(name):
    game = CASES[name].make()
    frozen = [next(game.generator.parameters()), next(game.discriminator.parameters())]
    before = [p.requires_grad_(False).clone() for p in frozen]
    fit(game, CASES[name], max_steps=3)
    for p, old in zip(frozen, before, strict=True):
        assert torch.equal(p, old)
        assert not p.requires_grad


@every_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_samples(name, dtype):
    case = CASES[name]
    game = case.make(dtype)
    labels = [0, 1, 2, 1, 0] if game.conditional else None
    x = game.sample(5, labels, seed=3)
    assert x.shape == (5, *case.shape)
    assert x.dtype == dtype
    assert not x.requires_grad
    if len(case.shape) == 3:
        assert float(x.abs().max()) <= 1
    assert torch.equal(x, game.sample(5, labels, seed=3))
    assert not torch.equal(x, game.sample(5, labels, seed=4))
    if game.conditional:
        assert not torch.equal(x[0], game.sample(5, 1, seed=3)[0])
        assert torch.equal(game.sample(5, seed=3), game.sample(5, seed=3))
    else:
        with pytest.raises(ValueError, match="`labels` must be None for"):
            game.sample(5, [0, 1, 2, 1, 0])


@every_case
def test_state_dict_holds_everything_once(name):
    game = CASES[name].make()
    state = game.state_dict()
    tops = {key.split(".")[0] for key in state}
    assert {"generator", "discriminator", "generator_ema"} <= tops
    others = {"encoder", "encoder_ema", "classifier", "q_head"}
    assert tops <= {"generator", "discriminator", "generator_ema"} | others
    places = [value.data_ptr() for value in state.values() if value.numel()]
    assert len(places) == len(set(places))


@pytest.mark.parametrize("name", FAMILIES)
def test_readme_row_and_docs_page(name):
    rows = [r for r in (ROOT / "README.md").read_text().splitlines() if f"[`{name}`](" in r]
    assert len(rows) == 1
    page = re.search(rf"\[`{name}`\]\(([^)]+)\)", rows[0])[1]
    assert name in (ROOT / page).read_text()
    cells = [cell.strip() for cell in rows[0].strip("| ").split(" | ")]
    assert len(cells) == 6
    result = re.search(r"\(([^)]+)\)", cells[5])
    assert cells[5] == "not measured yet" or (ROOT / result[1]).exists()


@pytest.mark.parametrize("name", FAMILIES)
def test_docstring_names_its_paper(name):
    assert "https://arxiv.org/abs/" in inspect.getdoc(getattr(families, name))
