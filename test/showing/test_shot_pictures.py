"""The pictures of a verdict whose view has several images."""

import cv2
import numpy as np

from inspection_cell.evidence import EvidenceFolder, shot_of
from inspection_cell.findings import Defect, Finding, Source, Verdict, ViewFindings, ViewStatus
from inspection_cell.observations import Image, Observation, ShotImage, ViewKey
from inspection_cell.showing.verdict_pictures import VerdictPictures
from inspection_cell.views.image_evidence import write_images

VIEW = ViewKey('top', 'left')


def test_the_defect_is_drawn_into_the_image_of_every_shot(tmp_path):
    looks = [
        ShotImage(shot, Image(np.full((60, 80, 3), grey, dtype=np.uint8)))
        for shot, grey in (('bright', 200), ('dark', 20))
    ]
    observation = Observation('i1', VIEW, 1, looks[0].image, np.eye(4), np.eye(4))
    files = write_images(EvidenceFolder(tmp_path, 'here'), observation, looks)
    assert [shot_of(file) for file in files] == ['bright', 'dark']
    found = Finding('scratch', 0.9, box_px=np.array([20.0, 30, 40, 35]), shots=('dark',))
    view = ViewFindings('i1', VIEW, ViewStatus.OK, findings=(found,), evidence=files)
    defect = Defect('scratch', 0.9, sources=(Source(VIEW, 'scratch', 0.9),))
    verdict = Verdict('i1', 'p', 'plate', defects=(defect,), views=(view,))
    drawn = VerdictPictures(verdict, None, None).write(tmp_path, tmp_path / 'drawn')
    names = [picture.path.name for picture in drawn if picture.path]
    assert names == ['top.left.bright.defects.jpg', 'top.left.dark.defects.jpg']
    for name, grey in zip(names, (200, 20), strict=True):
        shown = cv2.imread(str(tmp_path / 'drawn' / name)).astype(int)
        assert np.abs(shown[5:10, 60:] - grey).max() < 8
        assert np.abs(shown[28:38, 18:42] - grey).max() > 50
