"""What a wheel holds beside modules: the files that `niftyformer init` lays down."""

import runpy
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


class WithStarter(build_py):
    """Modules, and the project's own files beside them; an editable installation has the project itself."""

    def run(self) -> None:
        if self.editable_mode:
            return super().run()
        # What an earlier build left would be packed too.
        shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        project = runpy.run_path(str(ROOT / "niftyformer_assets" / "project.py"))
        starter = Path(self.build_lib) / "niftyformer_assets" / project["STARTER"]
        for path in project["files_laid_down"](ROOT):
            (starter / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, starter / path)
        return None


setup(cmdclass={"build_py": WithStarter})
