"""LSUN, from its LMDB databases.

torchvision's reader keeps the list of keys in a pickle in the working directory and loads whatever
pickle lies there under that name; a pickle runs the code it holds. Listing the keys takes seconds,
so it is done here each time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, final

from gan_lightning.data.base import AbstractGANData, check_choice, check_image_size
from gan_lightning.data.disk import AbstractImages, DiskSamples, digest_of
from gan_lightning.data.folders import check_workers

Category = Literal[
    "bedroom",
    "bridge",
    "church_outdoor",
    "classroom",
    "conference_room",
    "dining_room",
    "kitchen",
    "living_room",
    "restaurant",
    "tower",
]

_CATEGORIES: tuple[str, ...] = Category.__args__  # type: ignore[attr-defined]


@contextmanager
def _reading(folder: Path) -> Iterator[Any]:
    """A read transaction on a database, which is closed again at once.

    lmdb neither lets a process open a database twice nor lets an open one cross a fork into worker
    processes; opening one costs far less than decoding an image.
    """
    try:
        import lmdb  # type: ignore[import-not-found]  # an optional package
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "LSUN needs the package lmdb, which is not installed: run `pip install lmdb`."
        ) from error
    try:
        environment = lmdb.open(
            str(folder), max_readers=1, readonly=True, lock=False, readahead=False, meminit=False
        )
    except lmdb.Error as error:
        raise ValueError(
            f"{folder} must be an LMDB database, found an unreadable one ({error})."
        ) from error
    with environment, environment.begin() as transaction:
        yield transaction


@final
class LMDBImages(AbstractImages):
    """Encoded images in an LMDB database, in the order of their keys.

    Args:
        folder: The database.
        shape: ``(C, S, S)`` of the decoded images.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...]) -> None:
        super().__init__(shape)
        self._folder = folder
        with _reading(folder) as transaction:
            self._keys = list(transaction.cursor().iternext(keys=True, values=False))

    def __len__(self) -> int:
        return len(self._keys)

    def source(self, row: int) -> BytesIO:
        """The encoded bytes."""
        with _reading(self._folder) as transaction:
            return BytesIO(transaction.get(self._keys[row]))

    def name(self, row: int) -> str:
        """The image's key and database."""
        return f"{self._keys[row].decode(errors='replace')} in {self._folder}"


@final
class LSUN(AbstractGANData):
    """One category of LSUN's scenes (Yu et al. 2015), unlabelled; needs the package lmdb.

    Args:
        root: Folder that holds the unpacked databases, such as ``bedroom_train_lmdb``. They are
            downloaded by hand or with the authors' script; this class downloads nothing.
        category: Which scenes.
        image_size: Side of the images in pixels, a power of two from 8 to 256.
        batch_size: Samples per batch and process.
        split: ``"train"`` or ``"val"`` (300 images).
        num_workers: Worker processes that decode; 0 decodes in the training process.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        root: str | Path = "data",
        category: Category = "bedroom",
        image_size: int = 64,
        batch_size: int = 64,
        split: Literal["train", "val"] = "train",
        num_workers: int = 2,
    ) -> None:
        check_image_size(image_size)
        check_choice("category", category, _CATEGORIES)
        check_choice("split", split, ("train", "val"))
        check_workers(num_workers)
        facts: dict[str, object] = {"category": category, "image_size": image_size, "split": split}
        super().__init__((3, image_size, image_size), None, batch_size, facts)
        self._folder = Path(root) / f"{category}_{split}_lmdb"
        self._num_workers = num_workers

    def read(self) -> DiskSamples:
        """List the keys of the database.

        Raises:
            FileNotFoundError: If the database is missing.
            ModuleNotFoundError: If the package lmdb is not installed.
            ValueError: If the database cannot be read.
        """
        if not self._folder.is_dir():
            raise FileNotFoundError(
                f"LSUN needs the LMDB folder {self._folder}, which is missing: unpack the archive "
                "of the category there."
            )
        return DiskSamples(LMDBImages(self._folder, self.image_shape), self._num_workers)

    def digest(self) -> str:
        """Of the size of the database; the number of its entries is compared anyway."""
        return digest_of([str((self._folder / "data.mdb").stat().st_size)])
