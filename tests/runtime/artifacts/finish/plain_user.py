"""Run as a program by root: a box of a plain user finishes an honest bundle and refuses hostile ones.

python -m tests.runtime.artifacts.finish.plain_user FOLDER
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from edgefn.errors import EdgefnError
from tests.runtime import plainuser
from tests.runtime.artifacts.finish import hostile
from tests.runtime.artifacts.finish.conftest import FinishingHost, opened_with_finishers
from tests.runtime.deployment import bundles

DEEDS = {
    "reads the token": "found = 'got ' + open(TOKEN).read()",
    "writes the token": "open(TOKEN, 'w').write('x')\nfound = ''",
    "links the token": "import os\nos.link(TOKEN, folder / 'token')",
    "closes a folder": "import os, time\nos.makedirs(folder / 'a' / 'b')\nos.chmod(folder / 'a', 0)",
    "a deep folder": "import os\nos.chdir(folder)\nfor n in range(2000): os.mkdir('d' * 200); os.chdir('d' * 200)",
}


async def _run(folder: Path) -> dict[str, str]:
    found = {}
    async with opened_with_finishers(folder / "home", 2**30) as box:
        assert isinstance(box.host, FinishingHost)
        await box.deploy(bundles.with_model(folder, "honest"))
        token = box.home.path / "token"
        before = token.read_text()
        for number, (name, deed) in enumerate(DEEDS.items()):
            try:
                await box.deploy(hostile.bundle(folder, f"TOKEN = {str(token)!r}\n{deed}", f"f{number}"))
                found[name] = "deployed"
            except EdgefnError as error:
                found[name] = "the token" if before.strip() in str(error) else "refused"
        found["token"] = "as it was" if token.read_text() == before else "changed"
        found["left"] = str(box.temporaries())
        found["files"] = str(box.host.supervisor.isolation.get("files"))
    return found


def main(folder: Path) -> None:
    """Print what came of each deed."""
    library = hostile.install(folder / "library")
    folder.chmod(0o755)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, plainuser.PLAIN, plainuser.PLAIN)
    plainuser.open_python()
    plainuser.become()
    sys.path.insert(0, str(library))
    os.environ["PYTHONPATH"] = str(library)
    print(json.dumps(asyncio.run(_run(folder))), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
