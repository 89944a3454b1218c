"""What the running application has loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

WALK = """
import asyncio, sys
from pathlib import Path
from screens.gallery.gallery import SCENES, seeded_app
first = {name for name in ("sqlalchemy", "scipy", "torch") if name in sys.modules}
async def story():
    app = seeded_app(Path(sys.argv[1]))
    async with app.run_test(size=(80, 24)) as pilot:
        for name in ("merge", "plot", "export"):
            await SCENES[name](pilot)
            while len(app.screen_stack) > 1:
                app.pop_screen()
            await pilot.pause()
asyncio.run(story())
heavy = ("torch", "transformers", "peft", "huggingface_hub")
print(*[name for name in heavy if name in sys.modules])
"""


def test_torch_is_never_beside_the_screen(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", WALK, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_the_first_frame_waits_for_neither_the_catalog_nor_the_statistics() -> None:
    code = (
        "import sys, screens.app\nprint(*[n for n in ('sqlalchemy', 'alembic', 'scipy', 'numpy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == ""
