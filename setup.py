"""Installs the package for colcon (ament_python) and for pip."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = 'inspection_cell'
SHARE = f'share/{NAME}'
NODES = (
    *(
        'cell',
        'client',
        'detection',
        'doctor',
        'gazebo',
        'process',
        'program',
        'reject',
        'replay',
        'robot_program',
        'sim',
        'surface',
    ),
    'view',
)
TRAIN = ['nncf>=3', 'onnx>=1.17', 'pycocotools>=2.0.8', 'scikit-learn>=1.5', 'ultralytics>=8.4']
# The same library; on this platform its plain wheel brings CUDA, which we do not use.
OPEN3D = [
    'open3d>=0.19; sys_platform != "linux" or platform_machine != "x86_64"',
    'open3d-cpu>=0.19; sys_platform == "linux" and platform_machine == "x86_64"',
]


def installed_files() -> list[tuple[str, list[str]]]:
    """List what goes to the share folder: launch files and everything under config/."""
    files = [path for path in Path('launch').glob('*.py') if path.is_file()]
    files += [path for path in Path('config').rglob('*') if path.is_file()]
    folders = sorted({path.parent for path in files})
    return [
        (f'{SHARE}/{folder}', sorted(str(path) for path in files if path.parent == folder))
        for folder in folders
    ]


setup(
    name=NAME,
    version='0.1.0',
    description='Vision inspection station: from images and scans to released or diverted parts.',
    maintainer='Inspection Cell maintainers',
    maintainer_email='maintainers@example.com',
    license='Apache-2.0',
    python_requires='>=3.11',
    packages=find_packages(include=[NAME, f'{NAME}.*']),
    package_data={NAME: ['**/*.html', '**/*.css', '**/*.js', '**/*.sql']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (SHARE, ['package.xml']),
        *installed_files(),
    ],
    install_requires=[
        'matplotlib>=3.6',
        'plotly>=6.0',
        'numpy>=1.26',
        'onnxruntime>=1.20',
        'opencv-python>=4.8',
        'openvino>=2025',
        'pillow>=10',
        'pydantic>=2.7',
        'pyyaml>=6',
        'rich>=13',
        'scipy>=1.11',
        'sqlalchemy>=2',
        'typer>=0.12',
        *OPEN3D,
    ],
    # edge: a station that only runs exported models: nothing more; train: also makes them.
    extras_require={'edge': [], 'train': TRAIN},
    entry_points={
        'console_scripts': [
            f'{NAME} = {NAME}.cli:main',
            *(f'{node}_node = {NAME}.nodes.{node}_node:main' for node in NODES),
            f'one_process = {NAME}.nodes.one_process:main',
        ],
    },
    zip_safe=False,
)
