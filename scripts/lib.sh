# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# What the scripts share; sourced, not run.

# shellcheck disable=SC2034  # used by those who source this
SG_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

# A daemon refuses modules that others could write, and folders count too.
umask 022

# make passes its own flags down; the makes that scripts start are none of that.
unset MAKEFLAGS MAKELEVEL MFLAGS

# What it takes to build sockgate on Debian 12.
# shellcheck disable=SC2034
SG_BUILD_PACKAGES=(gcc libc6-dev make autoconf automake libtool pkg-config
                   libev-dev libconfig-dev libsodium-dev libc-ares-dev libcrypt-dev libpam0g-dev)

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# need PACKAGE...: installs those that are missing; without any missing it needs neither apt nor root.
need() {
    local missing=() package as_root=() output

    if ! command -v dpkg-query >/dev/null; then
        echo "Not a Debian system: please see to it yourself that these are there (Debian's names): $*"
        return 0
    fi
    for package; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    echo "Installing with apt-get: ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "please install as root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    as_root+=(env DEBIAN_FRONTEND=noninteractive)
    if ! output=$("${as_root[@]}" apt-get -q update 2>&1 &&
        "${as_root[@]}" apt-get -q -y --no-install-recommends install "${missing[@]}" 2>&1); then
        tail -n 40 <<<"$output"
        die "the packages could not be installed"
    fi
}

# autoreconf_if_needed: makes configure when it is missing or older than what it is made from.
autoreconf_if_needed() {
    local made_from
    for made_from in configure.ac Makefile.am core/local.mk modules/local.mk tests/local.mk; do
        if [ ! -e "$SG_TOP/configure" ] || [ ! -e "$SG_TOP/Makefile.in" ] ||
            [ "$SG_TOP/$made_from" -nt "$SG_TOP/Makefile.in" ]; then
            (cd "$SG_TOP" && autoreconf -fi) || return 1
            return 0
        fi
    done
}

# configure_if_needed DIR [ARGUMENT...]: a build folder; make itself sees later changes of configure.
configure_if_needed() {
    local dir=$1
    shift
    [ ! -e "$dir/Makefile" ] || return 0
    mkdir -p "$dir" && (cd "$dir" && "$SG_TOP/configure" "$@")
}

# counted PASSED FAILED [SKIPPED]: the closing line of every suite; fails if something failed or nothing ran.
counted() {
    printf '%d passed, %d failed, %d skipped\n' "$1" "$2" "${3:-0}"
    [ "$2" -eq 0 ] && [ "$1" -gt 0 ]
}
