"""Galleries of enrolled people: encrypted at rest, with consent and expiry, and audited. Loads no torch.

    faces = FaceEngine()  # of vnvision.faces.engine
    embeddings = np.array([found[0].embedding for found in faces.represent(photos)], np.float32)
    consent = Consent(given_by="e-17", given_at=datetime.now(UTC), text="the words agreed to")
    key = GalleryKey.from_file(create_key_file("gallery.key"))
    model, dim = faces.embedder.fingerprint, faces.embedder.size
    with Gallery.open("staff.db", key=key, model=model, dim=dim, create=True) as gallery:
        gallery.enroll("e-17", embeddings, consent=consent, purpose="door", expires=expires)
        answers = gallery.identify(queries, threshold=0.42)

``MilvusGallery`` in ``vnvision.faces.gallery.milvus`` has the same face over a Milvus server.
"""

from __future__ import annotations

from vnvision.faces.gallery.audit import AuditEntry, AuditHead
from vnvision.faces.gallery.gallery import Gallery
from vnvision.faces.gallery.keys import KEY_VARIABLE, GalleryKey, create_key_file
from vnvision.faces.gallery.people import Candidate, Consent, Enrolment, Identification, Person

__all__ = [
    "KEY_VARIABLE",
    "AuditEntry",
    "AuditHead",
    "Candidate",
    "Consent",
    "Enrolment",
    "Gallery",
    "GalleryKey",
    "Identification",
    "Person",
    "create_key_file",
]
