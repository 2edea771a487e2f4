#!/bin/sh
# The package as a file: what is in it, what lintian, man and the shells say of it.
set -eu
# shellcheck source=tests/package/lib.sh
. "$(dirname "$0")/lib.sh"

dpkg-deb -c "$deb" >"$scratch/list" || fail "no package: $deb"
for path in usr/bin/gyrfalcon usr/lib/systemd/system/gyrfalcon.service usr/lib/systemd/system/gyrfalcon.socket \
  etc/gyrfalcon/gyrfalcon.yaml etc/gyrfalcon/rules.d/00-gyrfalcon_rules.yaml usr/share/man/man1/gyrfalcon.1.gz \
  usr/share/bash-completion/completions/gyrfalcon usr/share/zsh/vendor-completions/_gyrfalcon \
  usr/share/fish/vendor_completions.d/gyrfalcon.fish usr/share/doc/gyrfalcon/copyright; do
  grep -q " \./$path\$" "$scratch/list" || fail "/$path is not in the package"
done
awk '$2 != "root/root" { bad = 1 } END { exit bad }' "$scratch/list" || fail "not all files are root's"
dpkg-deb -e "$deb" "$scratch/control"
while IFS= read -r path; do
  grep -q " \.$path\$" "$scratch/list" || fail "the conffile $path is not in the package"
done <"$scratch/control/conffiles"
grep ' \./etc/.*[^/]$' "$scratch/list" | sed 's/.* \.//' | sort >"$scratch/in_etc"
sort "$scratch/control/conffiles" | cmp -s - "$scratch/in_etc" || fail "files below /etc that are no conffiles: $(cat "$scratch/in_etc")"
dpkg-deb -x "$deb" "$scratch/root"

# Every command has its section in the man page and its line in each completion.
man=$scratch/root/usr/share/man/man1/gyrfalcon.1.gz
"$GYRFALCON" --help | sed -n 's/^  \([a-z][a-z ]*[a-z]\)  *[A-Z].*$/\1/p' >"$scratch/commands"
[ "$(wc -l <"$scratch/commands")" -ge 15 ] || fail "--help lists too few commands"
zcat "$man" >"$scratch/page"
while IFS= read -r name; do
  grep -qx ".SS gyrfalcon $name" "$scratch/page" || fail "the man page knows no $name"
  grep -qF "'$name')" "$scratch/root/usr/share/zsh/vendor-completions/_gyrfalcon" || fail "zsh knows no $name"
  grep -qF "__gyrfalcon_is $name'" "$scratch/root/usr/share/fish/vendor_completions.d/gyrfalcon.fish" || fail "fish knows no $name"
done <"$scratch/commands"

# libcurl is loaded when it is wanted (base/curl_library.h): nobody sees that it is needed.
case ", $(dpkg-deb -f "$deb" Depends)," in
  *', libcurl4,'* | *', libcurl4 '*) ;;
  *) fail "the package does not depend on libcurl4: $(dpkg-deb -f "$deb" Depends)" ;;
esac
! ldd "$scratch/root/usr/bin/gyrfalcon" | grep -q libcurl || fail "the program is linked with libcurl: 27 libraries and 4 MB at each start"

# completes WORD… CURRENT=EXPECTED: by bash itself, as readline calls it.
completes() {
  # shellcheck disable=SC2016 # expanded by bash
  bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _gyrfalcon; echo "${COMPREPLY[*]}"' bash \
    "$scratch/root/usr/share/bash-completion/completions/gyrfalcon" "$@"
}
[ "$(completes gyrfalcon rul)" = rules ] || fail "bash: no completion of rul"
[ "$(completes gyrfalcon rules expl)" = explain ] || fail "bash: no completion of rules expl"
[ "$(completes gyrfalcon install docker --on-fail)" = --on-failure ] || fail "bash: no completion of install docker --on-fail"
[ "$(completes gyrfalcon install docker --on-failure c)" = closed ] || fail "bash: no completion of --on-failure c"
[ "$(completes gyrfalcon --gvisor-c)" = --gvisor-config ] || fail "bash: no completion of Falco's flags"
[ -z "$(completes gyrfalcon replay /e)" ] || fail "bash: files are not left to bash"
missing=''
if have zsh; then
  zsh -n "$scratch/root/usr/share/zsh/vendor-completions/_gyrfalcon" || fail "zsh can't read its completion"
else
  missing="$missing zsh"
fi
if have fish; then
  # fish_completes LINE: as a user would be offered it.
  fish_completes() {
    HOME=$scratch fish --no-config -c "source $scratch/root/usr/share/fish/vendor_completions.d/gyrfalcon.fish; complete -C '$1'" |
      cut -f 1 | tr '\n' ' '
  }
  [ "$(fish_completes 'gyrfalcon rules expl')" = 'explain ' ] || fail "fish: no completion of rules expl: $(fish_completes 'gyrfalcon rules expl')"
  [ "$(fish_completes 'gyrfalcon install docker --on-fail')" = '--on-failure ' ] || fail "fish: no completion of a flag"
else
  missing="$missing fish"
fi
if have man; then
  LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$scratch/root/usr/share/man/man1/gyrfalcon.1.gz" \
    >/dev/null 2>"$scratch/man.log" || fail "man can't show the page"
  [ ! -s "$scratch/man.log" ] || fail "man has warnings"
else
  missing="$missing man"
fi
for script in postinst prerm postrm; do
  sh -n "$scratch/control/$script" || fail "$script is no shell script"
done
if have lintian; then
  lintian --allow-root --fail-on error --tag-display-limit 0 "$deb" >"$scratch/lintian.log" 2>&1 || fail "lintian finds errors"
  cat "$scratch/lintian.log"
else
  missing="$missing lintian"
fi
[ -z "$missing" ] || skip "all well, but not checked, for it is not installed:$missing"
echo "$(basename "$deb"): $(wc -l <"$scratch/list") files and folders, $(wc -l <"$scratch/commands") commands"
