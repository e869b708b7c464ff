"""SDF's elements as text."""

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from inspection_cell.geometry import Transform, to_quaternion


def child(parent: Element, tag: str, text: str = '', **attributes: str) -> Element:
    """Append an element."""
    element = SubElement(parent, tag, attributes)
    element.text = text or None
    return element


def numbers(*values: float) -> str:
    """Numbers as SDF reads them, without loss."""
    return ' '.join(repr(float(value)) for value in values)


def add_pose(parent: Element, transform_to_world: Transform) -> None:
    """Append `<pose>` as a quaternion: angles are not unique for what looks straight down."""
    position, quaternion = to_quaternion(transform_to_world)
    child(parent, 'pose', numbers(*position, *quaternion), rotation_format='quat_xyzw')


def document(root: Element) -> str:
    """The whole file."""
    indent(root)
    return '<?xml version="1.0"?>\n' + tostring(root, encoding='unicode') + '\n'
