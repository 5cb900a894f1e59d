"""A package of somebody else's, as pip would have installed it."""

import os
from collections.abc import Mapping
from pathlib import Path


def installed(site: Path, modules: Mapping[str, str], points: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Install a package in the folder `site`.

    Args:
        site: Where it goes.
        modules: Its sources, by the modules' names.
        points: Its entry points: of each group the modules by the names of the points.

    Returns:
        The environment of a process that finds it.
    """
    metadata = site / "mine-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    groups = (f"[{group}]\n" + "".join(f"{name} = {module}\n" for name, module in named.items())
              for group, named in points.items())  # fmt: skip
    (metadata / "entry_points.txt").write_text("\n".join(groups))
    for name, source in modules.items():
        (site / f"{name}.py").write_text(source)
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path}
