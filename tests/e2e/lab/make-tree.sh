#!/usr/bin/env bash
# make-tree.sh [options] OUT: an install tree shaped like CentOS 7's without any CentOS in it (no mirror needed):
# .treeinfo .discinfo images/pxeboot/{vmlinuz,initrd.img} LiveOS/squashfs.img repodata/ Packages/ ks.cfg, and OUT.iso.
# The kernel is Debian's; the initrd runs tree/init, which installs the way anaconda does and prints INSTALL-OK <digest>.
# OUT.expect holds that digest for @core, chrony and kexec-tools.
#   --mb N        about N MB in all (default 44)    --initrd-mb N   pad the initrd to N MB (CentOS 7: 50)
#   --version 2   as version 1, with about 5 % of the rpms and the initrd changed    --no-iso
#   --cache DIR   where the downloaded kernel is kept (default: beside OUT)
# The same options give the same bytes, so unchanged files of versions 1 and 2 are identical. Needs the packages of
# `./dev deps demo`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
usage() { sed -n '2,10s/^# //p' "$0"; exit 2; }
mb=44 version=1 iso=1 initrd_mb=0 cache=
while [ $# -gt 0 ]; do
  case $1 in
    --mb) mb=$2; shift 2 ;;
    --version) version=$2; shift 2 ;;
    --cache) cache=$2; shift 2 ;;
    --initrd-mb) initrd_mb=$2; shift 2 ;;
    --no-iso) iso=; shift ;;
    -*) usage ;;
    *) break ;;
  esac
done
[ $# = 1 ] || usage
mkdir -p "$1"
out=$(cd "$1" && pwd)
cache=${cache:-$(dirname "$out")}
rm -rf "${out:?}"/* "$out"/.treeinfo "$out"/.discinfo
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
export SOURCE_DATE_EPOCH=1504618287 TZ=UTC LC_ALL=C MTOOLS_SKIP_CHECK=1

say() { echo "make-tree: $*" >&2; }

noise() { # SEED BYTES: the same bytes for the same seed, not compressible
  openssl enc -aes-128-ctr -K "$(printf %s "$1" | md5sum | cut -c1-32)" -iv 0 </dev/zero 2>/dev/null | head -c "$2" || true
}

old() { find "$@" -exec touch -hd @$SOURCE_DATE_EPOCH {} +; }

# private_apt TOOL COMMAND...: knows the machine's sources, as new as they are now, writes only below $w, and runs none of the
# machine's hooks
private_apt() {
  local tool=$1 apt=$w/apt
  shift
  "$tool" -qq -c "$apt/no-hooks" -o Dir::State="$apt/state" -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" \
    -o APT::Sandbox::User="$(id -un)" "$@"
}

fetch_kernel() { # the smallest of Debian's: made for virtual machines
  local package
  kernel=$cache/kernel
  [ ! -f "$kernel/complete" ] || return 0
  mkdir -p "$w"/apt/{state/lists/partial,cache/archives/partial} "$w/deb" "$cache"
  : >"$w/apt/status"
  printf '#clear APT::Update::%s;\n' Pre-Invoke Post-Invoke Post-Invoke-Success >"$w/apt/no-hooks"
  private_apt apt-get update
  package=$(private_apt apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' | head -n1)
  say "fetching $package"
  (cd "$w/deb" && private_apt apt-get download "$package")
  dpkg-deb -x "$w/deb/$package"_*.deb "$w/kernel"
  touch "$w/kernel/complete"
  rm -rf "$kernel"
  # Another run may have been quicker; then its kernel is as good.
  mv -T "$w/kernel" "$kernel" 2>/dev/null || [ -f "$kernel/complete" ]
}

pack() { (cd "$1" && find . | sort | cpio -o -H newc --reproducible --quiet | zstd -q -9 -T1); }

make_initrd() { # the installer's, with what dracut would have: busybox, curl, modules
  local r=$w/initrd curl library module file have pad
  mkdir -p "$r"/{bin,etc,lib64,usr/bin,lib/modules,lib/x86_64-linux-gnu}
  cp "$here/tree/init" "$r/init"
  cp "$(command -v busybox)" "$r/bin/busybox"
  cp "$here/tree/installed-digest" "$r/bin/"
  chmod +x "$r/init" "$r/bin/installed-digest"
  echo "lab-tree version $version" >"$r/etc/lab-release"
  [ "$version" = 1 ] || seq 2000 >"$r/etc/changed-in-$version"
  curl=$(command -v curl)
  cp "$curl" "$r/usr/bin/curl.bin"
  ln -s curl.bin "$r/usr/bin/curl"
  ldd "$curl" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | while read -r library; do cp -L "$library" "$r/lib/x86_64-linux-gnu/"; done
  cp -L /lib64/ld-linux-x86-64.so.2 "$r/lib64/"
  echo "/lib/x86_64-linux-gnu" >"$r/etc/ld.so.conf"
  [ -f "$kernel/lib/modules/$kver/modules.dep.bin" ] || depmod -b "$kernel" "$kver" 2>/dev/null || true
  for module in virtio_pci virtio_net virtio_blk virtio_rng e1000 e1000e ahci sd_mod nvme crc32c_generic ext4 loop squashfs isofs; do
    # Not every kernel has each of them.
    { modprobe -d "$kernel" -S "$kver" --show-depends "$module" 2>/dev/null || true; } | sed -n 's/^insmod \([^ ]*\).*/\1/p'
  done | awk '!seen[$0]++' | while read -r file; do
    cp "$file" "$r/lib/modules/"
    echo "/lib/modules/${file##*/}"
  done >"$r/lib/modules/load"
  old "$r"
  pack "$r" >"$w/small-initrd.img"
  cp "$w/small-initrd.img" "$out/images/pxeboot/initrd.img"
  have=$(stat -c %s "$w/small-initrd.img")
  pad=$((initrd_mb * 1048576 - have))
  [ $pad -gt 0 ] || return 0
  # noise in a second cpio archive in front, as drivers and firmware would be
  mkdir -p "$w/pad/usr/lib/firmware"
  noise firmware $pad >"$w/pad/usr/lib/firmware/pad"
  old "$w/pad"
  { (cd "$w/pad" && find . | sort | cpio -o -H newc --reproducible --quiet); cat "$w/small-initrd.img"; } >"$out/images/pxeboot/initrd.img"
}

make_stage2() { # what the installer runs from; here it carries the boot partition the installer writes
  # no_timer_check: an emulated clock on a busy machine fails a check that real ones pass.
  local s=$w/stage2 args="lab.disk no_timer_check console=tty0 console=ttyS0" used pad
  mkdir -p "$s/etc" "$s/usr/lib" "$w/esp/EFI/BOOT"
  cp "$w/initrd/etc/lab-release" "$s/etc/"
  cp /usr/lib/syslinux/mbr/mbr.bin "$s/"
  printf 'search --no-floppy --file --set=root /vmlinuz\nlinux /vmlinuz %s\ninitrd /initrd.img\nboot\n' "$args" >"$w/grub.cfg"
  grub-mkimage -O x86_64-efi -p /EFI/BOOT -c "$w/grub.cfg" -o "$w/esp/EFI/BOOT/BOOTX64.EFI" \
    normal linux fat part_msdos part_gpt search search_fs_file boot efi_gop
  printf 'DEFAULT lab\nPROMPT 0\nLABEL lab\n  KERNEL /vmlinuz\n  APPEND initrd=/initrd.img %s\n' "$args" >"$w/syslinux.cfg"
  truncate -s 32M "$s/boot.img"
  mkfs.vfat -F 16 -n LABBOOT -h 2048 -i 4c414201 --invariant "$s/boot.img" >/dev/null
  old "$w/esp"
  mcopy -s -m -i "$s/boot.img" "$w/esp/EFI" ::
  mcopy -i "$s/boot.img" "$out/images/pxeboot/vmlinuz" ::vmlinuz
  mcopy -i "$s/boot.img" "$w/small-initrd.img" ::initrd.img
  mcopy -i "$s/boot.img" "$w/syslinux.cfg" ::syslinux.cfg
  syslinux --install "$s/boot.img"
  used=$(du -sm "$out/images" | cut -f1)
  pad=$(((mb - used) * 30 * 1048576 / 100 - 24 * 1048576))
  noise stage2 $((pad > 0 ? pad : 1048576)) >"$s/usr/lib/noise"
  old "$s"
  mksquashfs "$s" "$out/LiveOS/squashfs.img" -comp zstd -Xcompression-level 6 -all-root -no-progress -quiet -noappend >/dev/null
}

core="acl audit authconfig basesystem bash biosdevname btrfs-progs coreutils cronie curl dhclient e2fsprogs filesystem firewalld glibc
hostname initscripts iproute iprutils iputils kbd kernel less lvm2 man-db ncurses openssh-clients openssh-server parted passwd policycoreutils
postfix procps-ng rootfiles rpm rsyslog selinux-policy-targeted setup shadow-utils sudo systemd tar tuned util-linux vim-minimal xfsprogs yum"
other="chrony kexec-tools gcc linux-firmware mariadb-server nginx podman python3 samba tmux vim-enhanced wireshark"

write_spec() { # package number release kilobytes; two thirds of a changed package stay
  mkdir -p "$w/src/$1" "$w/rb/$1"
  { noise "$1" $(($4 * 1024 * 2 / 3)); noise "$1-$3" $(($4 * 1024 / 3)); } >"$w/src/$1/data"
  cat >"$w/src/$1/$1.spec" <<S
Name: $1
Version: 1.$2
Release: $3.el7.lab
Summary: Lab stand-in for $1
License: MIT
BuildArch: x86_64
%description
Filler.
%install
mkdir -p %{buildroot}/usr/share/lab
cp $w/src/$1/data %{buildroot}/usr/share/lab/$1
echo "$1 $3" >%{buildroot}/usr/share/lab/$1.txt
%files
/usr/share/lab/$1
/usr/share/lab/$1.txt
S
  echo "$1"
}

build_rpm() { # package; the build directory's name must not get into the rpm
  local define=(-D "_topdir $w/rb/$1" -D "_rpmdir $w/rpms" -D "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm"
    -D "_binary_payload w1.gzdio" -D "_buildhost lab" -D "use_source_date_epoch_as_buildtime 1"
    -D "clamp_mtime_to_source_date_epoch 1" -D "debug_package %{nil}" -D "_build_id_links none"
    -D "__os_install_post %{nil}" -D "__check_files %{nil}" -D "optflags -O2")
  rpmbuild -bb --quiet --nodeps "${define[@]}" --target x86_64 "$w/src/$1/$1.spec" >>"$w/rpm.log" 2>&1 ||
    { echo "make-tree: rpmbuild $1 failed" >&2; return 255; }
}

make_packages() {
  local used each i=0 package release kb
  used=$(du -sm "$out" | cut -f1)
  # shellcheck disable=SC2086
  each=$(((mb - used) * 1024 / $(echo $core $other | wc -w)))
  [ $each -gt 8 ] || each=8
  mkdir -p "$w/rpms"
  for package in $core $other; do
    i=$((i + 1))
    release=1
    [ "$version" = 1 ] || [ $((i % 20)) != 7 ] || release=$version
    kb=$((each * (20 + (i * 37) % 160) / 100))
    case $package in kernel | glibc) kb=$((each * 4)) ;; setup | filesystem | rootfiles | basesystem) kb=4 ;; esac
    write_spec "$package" "$i" "$release" "$kb"
  done >"$w/packages"
  export -f build_rpm
  export w
  xargs -P"$(nproc)" -I{} bash -c 'build_rpm {}' <"$w/packages" || { tail -5 "$w/rpm.log" >&2; exit 1; }
  mv "$w"/rpms/*.rpm "$out/Packages/"
  {
    echo '<?xml version="1.0" encoding="UTF-8"?>'
    echo '<comps><group><id>core</id><name>Core</name><default>true</default><uservisible>false</uservisible>'
    echo ' <packagelist>'
    for package in $core; do echo "  <packagereq type=\"mandatory\">$package</packagereq>"; done
    echo ' </packagelist></group></comps>'
  } >"$w/comps.xml"
  old "$out/Packages" "$w/comps.xml"
  createrepo_c -q --set-timestamp-to-revision --revision $SOURCE_DATE_EPOCH --general-compress-type gz -g "$w/comps.xml" "$out" >/dev/null 2>&1 ||
    createrepo_c -q -g "$w/comps.xml" "$out"
}

make_info() { # .treeinfo with the checksums the installer checks, .discinfo, isolinux
  cat >"$out/.treeinfo" <<E
[general]
name = CentOS-7
family = CentOS
timestamp = $SOURCE_DATE_EPOCH
variant =
version = 7
packagedir =
arch = x86_64

[stage2]
mainimage = LiveOS/squashfs.img

[images-x86_64]
kernel = images/pxeboot/vmlinuz
initrd = images/pxeboot/initrd.img

[checksums]
$(cd "$out" && for f in images/pxeboot/vmlinuz images/pxeboot/initrd.img LiveOS/squashfs.img repodata/repomd.xml; do
    echo "$f = sha256:$(sha256sum $f | cut -d' ' -f1)"
  done)
E
  printf '%s.0\n7.%s\nx86_64\nALL\n' $SOURCE_DATE_EPOCH "$version" >"$out/.discinfo"
  ln "$out/images/pxeboot/vmlinuz" "$out/isolinux/vmlinuz"
  ln "$out/images/pxeboot/initrd.img" "$out/isolinux/initrd.img"
  cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$out/isolinux/"
  printf 'DEFAULT linux\nLABEL linux\n  KERNEL vmlinuz\n  APPEND initrd=initrd.img inst.stage2=hd:LABEL=CentOS\\x207\\x20x86_64 quiet\n' \
    >"$out/isolinux/isolinux.cfg"
}

expected_digest() { # of what an install of @core, chrony and kexec-tools must report
  local package file
  for package in $core chrony kexec-tools; do
    for file in "$out/Packages/$package"-1.*.rpm; do
      [[ ${file##*/} =~ ^"$package"-1\.[0-9]+-[0-9]+\.el7 ]] || continue
      echo "$(sha256sum "$file" | cut -d' ' -f1) ${file##*/}"
    done
  done | sort | sha256sum | cut -d' ' -f1
}

fetch_kernel
kver=$(basename "$kernel"/lib/modules/*)
mkdir -p "$out/images/pxeboot" "$out/LiveOS" "$out/Packages" "$out/isolinux"
cp "$kernel/boot/vmlinuz-$kver" "$out/images/pxeboot/vmlinuz"
make_initrd
make_stage2
make_packages
cp "$here/tree/ks.cfg" "$out/ks.cfg"
make_info
expected_digest >"$out.expect"
old "$out"
if [ -n "$iso" ]; then
  xorriso -as mkisofs -quiet -R -J -joliet-long -V 'CentOS 7 x86_64' --modification-date=2017090513312700 \
    -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table \
    -o "$out.iso" "$out" 2>&1 | grep -iv '^xorriso' >&2 || true
fi
say "kernel $kver, $(du -sm "$out" | cut -f1) MB, $(find "$out/Packages" -name '*.rpm' | wc -l) rpms, expect $(cat "$out.expect")"
