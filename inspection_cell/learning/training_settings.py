"""How networks are trained: named augmentations and optimisers, in one place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from inspection_cell.errors import DataError

Head = Literal['nms_free', 'nms']  # what a network ends with: it suppresses doubles, or NMS does

OWN_SETTINGS = frozenset(
    {
        *('lr0', 'lrf', 'momentum', 'weight_decay', 'warmup_epochs', 'box', 'cls', 'dfl'),
        *('hsv_h', 'hsv_s', 'hsv_v', 'degrees', 'translate', 'scale', 'shear', 'perspective'),
        *('flipud', 'fliplr', 'mosaic', 'mixup', 'cutmix', 'copy_paste', 'multi_scale'),
        'freeze',
    }
)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How training images are varied.

    Attributes:
        settings: the trainer's, by its own names.
        whole_share: share of the epochs, the last ones, without mosaics.
    """

    settings: Mapping[str, float] = field(default_factory=dict)
    whole_share: float = 0.0


_FLIPS = {'fliplr': 0.5, 'flipud': 0.5}
_SURFACES = {**_FLIPS, 'hsv_h': 0.0, 'hsv_s': 0.0, 'hsv_v': 0.4, 'translate': 0.1}
AUGMENTATIONS: Mapping[str, Augmentation] = MappingProxyType(
    {
        # The cameras are fixed: scale and place vary little, and tiles vary enough by themselves.
        'fixed_cameras': Augmentation(
            {
                **_FLIPS,
                'hsv_h': 0.01,
                'hsv_s': 0.3,
                'hsv_v': 0.3,
                'translate': 0.1,
                'scale': 0.15,
                'mosaic': 0.0,
            }
        ),
        # Grey textures without an upper side: brightness varies, colour does not. Four images
        # joined into one, for most of the training: mAP50 0.417 against 0.382 without after 12
        # epochs on NEU-DET.
        'surfaces': Augmentation({**_SURFACES, 'scale': 0.5, 'mosaic': 1.0}, whole_share=0.2),
        # The same without joining, where defects would be cut or become too small.
        'surfaces_whole': Augmentation({**_SURFACES, 'scale': 0.3, 'mosaic': 0.0}),
    }
)
# With a cosine schedule from lr0 to lr0 · lrf.
OPTIMISERS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        'AdamW': {'lr0': 0.002, 'lrf': 0.02, 'warmup_epochs': 2.0},
        'MuSGD': {'lr0': 0.02, 'lrf': 0.02, 'warmup_epochs': 2.0},
        'SGD': {'lr0': 0.01, 'lrf': 0.02, 'warmup_epochs': 2.0},
    }
)


def settings_of(augmentation: str, optimizer: str, own: Mapping[str, float]) -> dict[str, float]:
    """The trainer's settings of two presets, with those of the caller's own on top.

    Raises:
        DataError: for names that are not in the tables.
    """
    for name, known in ((augmentation, AUGMENTATIONS), (optimizer, OPTIMISERS)):
        if name not in known:
            raise DataError(f'training: expected one of {", ".join(known)}, got {name!r}')
    unknown = sorted(set(own) - OWN_SETTINGS)
    if unknown:
        allowed = ', '.join(sorted(OWN_SETTINGS))
        raise DataError(f'training: {", ".join(unknown)}: unknown setting; known are {allowed}')
    return {**AUGMENTATIONS[augmentation].settings, **OPTIMISERS[optimizer], **own}
