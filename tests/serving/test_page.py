"""The page, in a real browser: a picture in, the answer out; two languages; nothing from elsewhere."""

import json
import os
import re
from pathlib import Path

import pytest

from convoy.serving import page
from tests.serving import browser, servers
from tests.serving.servers import Server

needs_browser = pytest.mark.skipif(browser.PROGRAM is None, reason="no Chromium is installed")
DONE = "document.getElementById('status').textContent === {}"

DROP = """
(async () => {
  const content = Uint8Array.from(atob(%s), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([content], "dropped.png", {type: "image/png"}));
  document.getElementById("drop").dispatchEvent(
    new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: transfer}));
})()
"""


def keep(tab: browser.Page, name: str) -> None:
    """A picture of the page, where CONVOY_SCREENSHOTS names a folder."""
    if folder := os.environ.get("CONVOY_SCREENSHOTS"):
        tab.screenshot(Path(folder) / name)


@needs_browser
def test_a_chosen_picture_gets_answer_probabilities_and_heat_map(
    server: Server, pictures: list[Path], tmp_path: Path
) -> None:
    with browser.page(tmp_path / "profile") as tab:
        tab.open(f"http://127.0.0.1:{server.port}/")
        assert tab.run("document.documentElement.lang") == "en"
        assert tab.run("document.querySelector('h1').textContent") == "What is in the picture?"
        tab.choose("#file", pictures[-1])
        tab.until(DONE.format("'Done.'"))
        assert tab.run("document.getElementById('label').textContent") == pictures[-1].parent.name
        rows = tab.run("[...document.querySelectorAll('#rows tr')].map((r) => r.textContent)")
        assert [row[:2] for row in rows] == ["up", "do"]
        assert rows[0].endswith("%")
        canvas = "document.getElementById('seen')"
        assert tab.run(f"[{canvas}.width, {canvas}.height]") == [12, 12]
        red = f"{canvas}.getContext('2d').getImageData(0, 0, 12, 12).data"
        assert tab.run(
            f"(() => {{ const d = {red}; return d.some((v, i) => i % 4 === 0 && v > d[i + 2] + 50) }})()"
        )
        assert tab.run("document.getElementById('model').textContent").startswith("toy version 1 · sha256 ")
        keep(tab, "page-en.png")
        assert tab.problems == []
        assert {re.sub(r"[?].*", "", url.partition(str(server.port))[2]) for url in tab.requests
                if url.startswith("http")} == {"/", "/health", "/predict"}  # fmt: skip


@needs_browser
def test_a_chinese_browser_gets_chinese_and_can_switch(
    server: Server, pictures: list[Path], tmp_path: Path
) -> None:
    import base64

    with browser.page(tmp_path / "profile", language="zh-CN") as tab:
        tab.open(f"http://127.0.0.1:{server.port}/")
        assert tab.run("document.documentElement.lang") == "zh-CN"
        assert tab.run("document.title") == "convoy · 图片里是什么？"
        tab.run(DROP % json.dumps(base64.b64encode(pictures[0].read_bytes()).decode("ascii")))
        tab.until(DONE.format("'完成。'"))
        assert tab.run("document.getElementById('label').textContent") == "down"
        assert tab.run("document.getElementById('original').alt") == "dropped.png"
        keep(tab, "page-zh.png")
        tab.run("document.querySelector('[data-language=en]').click()")
        assert tab.run("document.getElementById('status').textContent") == "Done."
        assert tab.run("document.querySelector('[data-language=en]').getAttribute('aria-pressed')") == "true"
        assert tab.run("document.body.innerText.match(/[\\u4e00-\\u9fff]/g).join('')") == "中文"
        assert tab.problems == []


@needs_browser
def test_what_is_no_picture_is_explained(server: Server, tmp_path: Path) -> None:
    text = tmp_path / "<b>a.html"
    text.write_text("<!doctype html><script>document.title = 'ran'</script>")
    with browser.page(tmp_path / "profile") as tab:
        tab.open(f"http://127.0.0.1:{server.port}/")
        tab.choose("#file", text)
        tab.until("document.getElementById('status').textContent.startsWith('This is not a picture')")
        assert tab.run("document.getElementById('answer').hidden") is True
        assert tab.run("document.title").startswith("convoy")


@needs_browser
def test_the_page_asks_for_the_token(folder: Path, pictures: list[Path], tmp_path: Path) -> None:
    with (
        servers.running(folder, token="a-secret-of-some-length") as server,
        browser.page(tmp_path / "profile") as tab,
    ):
        tab.open(f"http://127.0.0.1:{server.port}/")
        tab.until("!document.getElementById('token-row').hidden")
        tab.choose("#file", pictures[-1])
        tab.until(DONE.format("'This server wants a token.'"))
        tab.run("document.getElementById('token').value = 'a-secret-of-some-length'")
        tab.run("document.getElementById('form').requestSubmit()")
        tab.until(DONE.format("'Done.'"))


@needs_browser
@pytest.mark.parametrize("width", [360, 1000])
def test_nothing_overlaps_or_sticks_out(
    server: Server, pictures: list[Path], tmp_path: Path, width: int
) -> None:
    with browser.page(tmp_path / "profile", width=width) as tab:
        tab.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False
        )
        tab.open(f"http://127.0.0.1:{server.port}/")
        tab.choose("#file", pictures[-1])
        tab.until(DONE.format("'Done.'"))
        assert tab.run("document.documentElement.scrollWidth") <= width
        keep(tab, f"page-{width}.png")


def test_every_control_has_a_name_and_every_text_both_languages() -> None:
    content = page.load().content
    english, chinese = (
        set(re.findall(r"(\w+):\s*\"", block))
        for block in re.findall(r"(?:en|zh): \{(.*?)\n  \},", content, re.DOTALL)
    )
    assert english == chinese
    assert set(re.findall(r'data-text="(\w+)"', content)) <= english
    for name in re.findall(r'<input id="(\w+)"', content):
        assert f'for="{name}"' in content


def test_the_page_holds_no_address_and_its_policy_allows_none(server: Server) -> None:
    answer = server.ask("GET", "/")
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert b"http://" not in answer.body
    assert b"https://" not in answer.body
    assert b"innerHTML" not in answer.body
