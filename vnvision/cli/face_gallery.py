"""``vnvision face (enroll | identify | forget | list | export | purge | audit)``."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from vnvision.cli import face
from vnvision.cli.face import DEFAULT, AsJson, Engine, Model, Population, Threads, Wanted

if TYPE_CHECKING:
    from vnvision.faces.engine import Match
    from vnvision.faces.gallery import Gallery
    from vnvision.faces.protocols import Embedder

app = typer.Typer()

File = Annotated[
    Path | None, typer.Option("--gallery", help="gallery file; default: the user's own (VNVISION_HOME)")
]
Key = Annotated[
    Path | None,
    typer.Option("--key", help="key file; default: VNVISION_GALLERY_KEY, or the key made with the gallery"),
]
Passphrase = Annotated[bool, typer.Option("--passphrase", help="ask for a passphrase instead of a key file")]
PersonId = Annotated[str, typer.Argument(metavar="PERSON", help="the person's id")]
NEW = (
    "a new gallery was made: {file}, key {key}; keep a copy of the key elsewhere: without it nothing "
    "can be read"
    " | đã tạo kho khuôn mặt mới: {file}, khóa {key}; hãy cất một bản sao của khóa ở nơi khác: "
    "mất khóa là mất kho"
)


@app.command("enroll")
def enroll(
    person: PersonId,
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="photos of this one person")],
    consent: Annotated[str, typer.Option(help="the words agreed to; it is stored as text")],
    given_by: Annotated[str | None, typer.Option(help="who agreed; default: the person")] = None,
    purpose: Annotated[str, typer.Option(help="what the face may be used for")] = "identification",
    days: Annotated[
        int, typer.Option(min=1, max=3650, help="days until the photos expire and match nobody")
    ] = 365,
    name: Annotated[str | None, typer.Option(help="for display")] = None,
    any_quality: Annotated[bool, typer.Option(help="take photos that the quality gate refuses")] = False,
    gallery: File = None,
    key: Key = None,
    passphrase: Passphrase = False,
    model: Model = None,
    engine: Engine = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Enrol a person with photos, all of them or none. Consent is recorded; the record expires."""
    from vnvision.faces.enrol import ENROL, enroll_pictures
    from vnvision.faces.gallery import Consent
    from vnvision.faces.places import gallery_file

    _check_consent(person, consent, given_by)
    now = datetime.now(UTC)
    expires = now + timedelta(days=days)
    faces = face.open_engine(engine, threads, model)
    file = gallery or gallery_file()
    new = not file.is_file()
    with _open(gallery, key, passphrase, faces.embedder, create=True) as opened:
        if new:  # said before the photos are looked at: the gallery stays also where they are refused
            print(NEW.format(file=file, key=_key_name(key, passphrase, file)), file=sys.stderr)
        done = enroll_pictures(
            faces,
            opened,
            person,
            face.pictures_in(photos),
            consent=Consent(given_by=given_by or person, given_at=now, text=consent),
            purpose=purpose,
            expires=expires,
            name=name,
            gate=None if any_quality else ENROL,
        )
    if as_json:
        print(json.dumps(done.model_dump() | {"expires": expires.isoformat()}, ensure_ascii=False))
        return
    print(
        f"{done.person}: {done.added} added, {done.replaced} renewed, {done.already} already there; "
        f"matches until {expires:%Y-%m-%d}"
    )


def _check_consent(person: str, consent: str, given_by: str | None) -> None:
    """Who is enrolled and what was agreed to are said, before any model is opened."""
    from vnvision.errors import ConfigError

    if not person.strip():
        raise ConfigError(
            "the person's id is empty",
            expected="PERSON, such as e-17",
            vietnamese="thiếu mã của người được đăng ký; hãy ghi mã trước tên các ảnh, ví dụ e-17",
        )
    if not consent.strip() or not (given_by or person).strip():
        raise ConfigError(
            "consent is missing",
            expected="--consent with the words agreed to",
            vietnamese="thiếu sự đồng ý của người được đăng ký; hãy ghi nội dung đồng ý bằng --consent",
        )


@app.command("identify")
def identify(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="pictures or folders of pictures")],
    threshold: Wanted = DEFAULT,
    population: Population = None,
    k: Annotated[int, typer.Option(min=1, help="how many candidates a face")] = 1,
    gallery: File = None,
    key: Key = None,
    passphrase: Passphrase = False,
    model: Model = None,
    engine: Engine = "auto",
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Who the faces of each picture are, or unknown. Unreadable pictures are reported; exit code 1 then."""
    from vnvision.errors import DataError

    faces = face.open_engine(engine, threads, model)
    files = face.pictures_in(paths)
    limit = faces.threshold(threshold, population)
    with _open(gallery, key, passphrase, faces.embedder) as opened:
        found = list(faces.found(files))
        known = iter(faces.who([f for f in found if not isinstance(f, DataError)], opened, limit.value, k))
    failed = 0
    for file, one in zip(files, found, strict=True):
        if isinstance(one, DataError):
            failed += 1
            line = {"source": str(file), "error": str(one)}
            print(json.dumps(line, ensure_ascii=False) if as_json else f"{file}: {one}")
            continue
        matches = next(known)
        if as_json:
            rows = [
                m.answer.model_dump(mode="json") | {"box_xyxy_px": list(m.face.box_xyxy_px)} for m in matches
            ]
            answer = {"source": str(file), "threshold": limit.value, "faces": rows}
            print(json.dumps(answer, ensure_ascii=False))
        else:
            print(f"{file}: {'; '.join(_in_words(match) for match in matches) or 'no face'}")
    if not as_json:
        print(f"threshold {limit.value:.3f}{face.origin(limit.point, limit.populations)}")
        if limit.point:
            print(
                "the rate is that of one comparison: with n people enrolled a stranger is found about n "
                "times as often"
            )
    if failed:
        raise typer.Exit(1)


@app.command("forget")
def forget(person: PersonId, gallery: File = None, key: Key = None, passphrase: Passphrase = False) -> None:
    """Erase a person from the gallery file. Backups and exports made earlier are not reached."""
    from vnvision.errors import DataError

    with _open(gallery, key, passphrase) as opened:
        count = opened.forget(person)
    if not count:
        raise DataError(
            f"nobody is enrolled as {person!r}",
            fix="see who is: vnvision face list",
            vietnamese=f"không có ai tên {person!r} trong kho; xem danh sách: vnvision face list",
        )
    print(f"{person}: {_photos(count)} erased")


@app.command("list")
def show(
    gallery: File = None, key: Key = None, passphrase: Passphrase = False, as_json: AsJson = False
) -> None:
    """Everyone enrolled, with consent, purpose and expiry."""
    with _open(gallery, key, passphrase) as opened:
        people = opened.list()
    for person in people:
        if as_json:
            print(json.dumps(person.model_dump(mode="json"), ensure_ascii=False))
            continue
        until = max(photo.expires for photo in person.photos)
        state = f"until {until:%Y-%m-%d}" if person.matches else f"expired {until:%Y-%m-%d}"
        purposes = ", ".join(sorted({photo.purpose for photo in person.photos}))
        name = f" ({person.name})" if person.name else ""
        consents = sorted({f"{p.consent.given_by} {p.consent.given_at:%Y-%m-%d}" for p in person.photos})
        agreed = f"consent {', '.join(consents)}"
        print(f"{person.person}{name}: {_photos(len(person.photos))}, {purposes}, {agreed}, {state}")
    if not people and not as_json:
        print("nobody is enrolled")


@app.command("export")
def export(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="JSON file to write")],
    person: Annotated[str | None, typer.Option(help="one person; default: everyone")] = None,
    embeddings: Annotated[
        str,
        typer.Option(
            help="none, encrypted (for this gallery's key) or plain: whoever has it can recognise them"
        ),
    ] = "none",
    gallery: File = None,
    key: Key = None,
    passphrase: Passphrase = False,
) -> None:
    """Write what is held about one person or everyone."""
    with _open(gallery, key, passphrase) as opened:
        print(opened.export(out, person=person, embeddings=cast(Any, embeddings)))


@app.command("purge")
def purge(gallery: File = None, key: Key = None, passphrase: Passphrase = False) -> None:
    """Erase every expired photo, as ``forget`` erases a person."""
    with _open(gallery, key, passphrase) as opened:
        print(f"{_photos(opened.purge_expired())} erased")


@app.command("audit")
def audit(
    gallery: File = None, key: Key = None, passphrase: Passphrase = False, as_json: AsJson = False
) -> None:
    """Check the audit log from its first entry to its head, and show it."""
    with _open(gallery, key, passphrase) as opened:
        head = opened.verify_audit()
        entries = opened.audit_entries()
    for entry in entries:
        if as_json:
            print(json.dumps(entry.model_dump(mode="json"), ensure_ascii=False))
        else:
            details = " ".join(f"{name}={value}" for name, value in entry.detail.items())
            print(f"{entry.seq} {entry.at} {entry.action} {details}".rstrip())
    if not as_json:
        print(f"whole: {len(entries)} entries, head {head.last}; note it down elsewhere")


def _open(
    file: Path | None,
    key: Path | None,
    passphrase: bool,
    embedder: Embedder | None = None,
    create: bool = False,
) -> Gallery:
    from vnvision.errors import ConfigError
    from vnvision.faces.enrol import open_gallery
    from vnvision.faces.gallery import GalleryKey

    if key and passphrase:
        raise ConfigError("two keys are named", expected="--key or --passphrase")
    secret: GalleryKey | Path | None = key
    if passphrase:
        from vnvision.faces.places import gallery_file

        new = create and not (file or gallery_file()).is_file()
        words = typer.prompt("passphrase", hide_input=True, confirmation_prompt=new, err=True)
        secret = GalleryKey.from_passphrase(words)
    return open_gallery(file, key=secret, embedder=embedder, create=create)


def _key_name(key: Path | None, passphrase: bool, file: Path) -> str:
    from vnvision.faces.enrol import usual_key_file
    from vnvision.faces.gallery import KEY_VARIABLE

    if passphrase:
        return "(passphrase)"
    return str(key or (KEY_VARIABLE if os.environ.get(KEY_VARIABLE) else usual_key_file(file)))


def _photos(count: int) -> str:
    return f"{count} photo{'s' * (count != 1)}"


def _in_words(match: Match) -> str:
    if not match.answer.candidates:
        best = match.answer.best_score
        return "unknown" if best is None else f"unknown (nearest {best:.3f})"
    return ", ".join(
        f"{one.person}{f' ({one.name})' if one.name else ''} {one.score:.3f}"
        for one in match.answer.candidates
    )
