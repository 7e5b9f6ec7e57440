import numpy as np
import pytest
import torch
from PIL import Image

from gan_lightning.callbacks._grid import make_grid, save_grid, to_uint8

GREY = 64


def test_bytes_of_known_values():
    x = torch.tensor([-2.0, -1.0, -0.5, 0.0, 1.0, 3.0, float("nan"), float("inf")])
    assert to_uint8(x).tolist() == [0, 0, 64, 128, 255, 255, 128, 255]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_bytes_of_other_types(dtype):
    assert to_uint8(torch.tensor([-1.0, 1.0], dtype=dtype)).tolist() == [0, 255]


def test_the_grid_row_by_row():
    values = torch.tensor([-1.0, 0.0, 1.0])
    images = values.view(3, 1, 1, 1).expand(3, 1, 48, 50)
    grid = make_grid(images, nrow=2)
    assert grid.dtype == torch.uint8
    assert grid.shape == (1, 2 + 2 * 50, 2 + 2 * 52)
    assert (grid[0, 2:50, 2:52] == 0).all()
    assert (grid[0, 2:50, 54:104] == 128).all()
    assert (grid[0, 52:100, 2:52] == 255).all()
    assert (grid[0, 52:100, 54:104] == GREY).all()  # no fourth image
    assert (grid[0, :2] == GREY).all()
    assert (grid[0, :, 52:54] == GREY).all()


def test_small_images_are_enlarged_by_a_whole_factor():
    images = torch.linspace(-1, 1, 16 * 16).view(1, 1, 16, 16)
    grid = make_grid(images, nrow=1)
    assert grid.shape == (1, 52, 52)
    expected = np.kron(to_uint8(images)[0, 0].numpy(), np.ones((3, 3), dtype=np.uint8))
    np.testing.assert_array_equal(grid[0, 2:-2, 2:-2].numpy(), expected)


def test_labels_are_written_below():
    images = torch.full((2, 3, 48, 48), -1.0)
    plain, labelled = make_grid(images, 2), make_grid(images, 2, torch.tensor([1, 7]))
    assert labelled.shape[1] == plain.shape[1] + 12
    one, seven = labelled[:, 50:62, 2:50], labelled[:, 50:62, 52:100]
    assert one.max() > 200
    assert not torch.equal(one, seven)
    assert (labelled[:, 2:50, 2:50] == 0).all()


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_the_file_holds_the_grid(tmp_path, channels, mode):
    images = torch.rand(5, channels, 12, 12) * 2 - 1
    file = tmp_path / "new" / "grid.png"
    save_grid(images, file, nrow=3)
    with Image.open(file) as picture:
        assert picture.mode == mode
        pixels = np.asarray(picture).reshape(picture.height, picture.width, channels)
    np.testing.assert_array_equal(pixels, make_grid(images, 3).permute(1, 2, 0).numpy())
    assert [p.name for p in file.parent.iterdir()] == ["grid.png"]


def test_what_cannot_be_drawn_is_refused():
    images = torch.zeros(4, 1, 8, 8)
    with pytest.raises(ValueError, match=r"`images` must have 1, 3 or 4 channels .* got 2"):
        make_grid(torch.zeros(4, 2, 8, 8))
    with pytest.raises(ValueError, match=r"`images` must have shape \(N, C, H, W\), .* \(4, 2\)"):
        make_grid(torch.zeros(4, 2))
    with pytest.raises(ValueError, match="number of images 4, got 5"):
        make_grid(images, nrow=5)
    with pytest.raises(ValueError, match="`labels` must have one label an image, got 3"):
        make_grid(images, nrow=2, labels=torch.zeros(3))
