"""Sign-in with an organisation's accounts: a real browser, a real OpenID Connect provider on this machine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from leader_core.audit import read
from tests.browser.conftest import PATIENCE, free_port, started
from tests.browser.steps import rows
from tests.openid_provider import CLIENT, SECRET, openid_provider

pytestmark = pytest.mark.browser

_SECRETS = """[auth]
redirect_uri = "{base}/oauth2callback"
cookie_secret = "sixty-four letters would be better, and these are enough"
client_id = "{client}"
client_secret = "{secret}"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""


def test_people_sign_in_with_a_provider_and_do_what_their_role_may(
    browser: Browser, synthetic_cohort: Path, tmp_path: Path
) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    roles = tmp_path / "roles.json"
    roles.write_text(
        json.dumps({"ann@hospital.example": "annotator", "bob@hospital.example": "viewer"}), "utf-8"
    )
    log = tmp_path / "cohort.audit.jsonl"
    (tmp_path / ".streamlit").mkdir()
    with openid_provider() as provider:
        secrets = _SECRETS.format(base=base, client=CLIENT, secret=SECRET, provider=provider.base)
        (tmp_path / ".streamlit" / "secrets.toml").write_text(secrets, encoding="utf-8")
        words = ["-m", "dashboard", "--oidc", "--roles", str(roles), "--cohort", str(synthetic_cohort)]
        words += ["--models", str(tmp_path / "none"), "--workspace", str(tmp_path / "w.sqlite")]
        words += ["--audit", str(log), "--port"]
        with started(words, {"HOME": str(tmp_path)}, port):

            def uploaded(page: Page) -> str:
                """What the server answers to a file."""
                return str(page.request.put(f"{base}/_stcore/upload_file/a/b").text())

            context = browser.new_context()
            context.set_default_timeout(PATIENCE)

            def visitor() -> Page:
                """Somebody new, but for the files that the browser holds."""
                context.clear_cookies()
                page = context.new_page()
                page.goto(base)
                expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=PATIENCE)
                assert rows(page).count() == 0
                assert uploaded(page) == "Sign in first."
                page.get_by_role("button", name="Sign in").click()
                return page

            ann = visitor()
            expect(rows(ann).first).to_be_visible(timeout=PATIENCE)
            assert uploaded(ann) != "Sign in first."
            rows(ann).first.click()
            expect(ann.locator("h1").first).to_contain_text(re.compile(r"Patient \d"), timeout=PATIENCE)
            other, patient = context.new_page(), ann.locator("h1").first.inner_text()
            other.goto(f"{ann.url}&tab=notes&view=research")
            other.get_by_role("button", name="Write a note").click()
            other.get_by_role("textbox", name="Note").fill("half a note")
            ann.get_by_role("link", name="sign out").click()
            expect(ann.get_by_role("button", name="Sign in")).to_be_visible(timeout=PATIENCE)
            # The other page leaves the screen by itself; the text that it held is folded up.
            expect(other.get_by_text("Your session has ended")).to_be_visible(timeout=PATIENCE)
            assert patient not in other.content() and not other.get_by_text("half a note").is_visible()
            other.locator("summary").click()
            expect(other.get_by_text("half a note")).to_be_visible()
            other.get_by_role("link", name="Sign in again").click()
            expect(other.get_by_role("button", name="Sign in")).to_be_visible(timeout=PATIENCE)

            provider.email, provider.verified = "bob@hospital.example", False
            expect(visitor().get_by_text("Your address has no role here")).to_be_visible(timeout=PATIENCE)
            provider.verified, provider.issued = True, 13 * 3600.0
            expect(visitor().get_by_text("Your session has ended")).to_be_visible(timeout=PATIENCE)
            provider.issued = 0.0
            bob = visitor()
            expect(rows(bob).first).to_be_visible(timeout=PATIENCE)
            roles.write_text(json.dumps({"ann@hospital.example": "annotator"}), "utf-8")
            rows(bob).first.click()
            expect(bob.get_by_role("button", name="Sign in")).to_be_visible(timeout=PATIENCE)
    entries = [(entry.account, entry.action) for entry in read(log)]
    first, second = "ann@hospital.example", "bob@hospital.example"
    assert entries == [
        *[(first, "signed in"), (first, "opened")] * 2,  # in two tabs
        (first, "signed out"),
        (second, "signed in"),
        (second, "signed out"),
    ]
