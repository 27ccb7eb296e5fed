"""The board's own style sheet and script. Nothing is fetched from elsewhere."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

router = APIRouter()
FOLDER = Path(__file__).parents[1] / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@router.get("/static/{name}")
def static(name: str) -> FileResponse:
    """One file of static/; its address changes with its bytes, so browsers may keep it."""
    if name not in {file.name for file in FOLDER.iterdir()} or Path(name).suffix not in TYPES:
        raise HTTPException(404)
    return FileResponse(FOLDER / name, media_type=TYPES[Path(name).suffix], headers={"cache-control": "private, max-age=31536000"})
