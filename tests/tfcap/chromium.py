"""Headless Chromium as it is installed here.

Where there is none and TFCAP_INSTALL_CHROMIUM is set, as in .ci/run, Debian's is
installed.
"""

import contextlib
import os
import shutil
import subprocess

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Two processes of tests may want to at the same time: one waits for the other.
APT = ("apt-get", "-o", "DPkg::Lock::Timeout=240")
PACKAGES = ("chromium", "chromium-driver")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--hide-scrollbars",
)  # fmt: skip

# Pairs of an element's text and background with less contrast than WCAG's AA asks for.
FAINT = """
const channel = c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) =>
  .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b);
function background(element) {
  for (let at = element; at; at = at.parentElement) {
    const colour = numbers(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
}
const isSaid = element => [...element.childNodes].some(
  node => node.nodeType === 3 && node.data.trim()) && element.checkVisibility();
return [...document.body.querySelectorAll("*")].filter(isSaid).map(element => {
  const [a, b] = [numbers(getComputedStyle(element).color), background(element)]
    .map(luminance).sort((x, y) => y - x);
  return [element.textContent.trim().slice(0, 40), (a + .05) / (b + .05)];
}).filter(([, contrast]) => contrast < 4.5);
"""


def find() -> tuple[str | None, str | None]:
    """Paths of browser and driver."""
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    return browser, shutil.which("chromedriver")


def install() -> None:
    """Tries to; who may not, or has no Debian, is left without."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        for command in (["update"], ["install", "--yes", *PACKAGES]):
            subprocess.run([*APT, *command], capture_output=True, timeout=300)


@contextlib.contextmanager
def started():
    """A browser; the test is skipped where there is none."""
    if not all(find()) and os.environ.get("TFCAP_INSTALL_CHROMIUM"):
        install()
    browser, driver = find()
    if not browser or not driver:
        pytest.skip(f"needs chromium: apt-get install {' '.join(PACKAGES)}")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # With both paths given, selenium looks for no driver elsewhere.
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


def show_as(browser, width=1200, height=900, scheme="light") -> None:
    """Gives the page a size in pixels and the reader a colour scheme; nothing moves."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    wanted = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
    features = [{"name": name, "value": value} for name, value in wanted.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def faint_texts(browser) -> list:
    return browser.execute_script(FAINT)


def is_too_wide(browser) -> bool:
    page = "document.documentElement"
    return browser.execute_script(f"return {page}.scrollWidth > {page}.clientWidth")
