#!/usr/bin/env bash
# machine_test.sh DEBS TREE: what nspawn_test.sh does, in a virtual machine with Debian's own kernel: here the sandbox, the
# capabilities and the sysctl are those of a real boot. TREE lies beside the kernel of the lab (trees.sh). Needs root.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/package/root.sh
. "$here/root.sh"
[ "$(id -u)" = 0 ] || { echo "machine_test: needs root" >&2; exit 77; }
kernel=$(dirname "$2")/kernel
version=$(basename "$kernel"/lib/modules/*)
w=$(mktemp -d)
trap 'end_child; rm -rf "$w"' EXIT
trap 'exit 130' INT TERM HUP
make_root "$w/root" "$1" "$2" /dev/ttyS1
mkdir -p "$w/root/lib/modules"
cp -r "$kernel/lib/modules/$version" "$w/root/lib/modules/"
depmod -b "$w/root" "$version"
# Nobody logs in; without udev systemd would wait for the line's device.
ln -s /dev/null "$w/root/etc/systemd/system/serial-getty@.service"

# The kernel finds its disk with two modules.
mkdir -p "$w/initrd"/{bin,dev,root}
cp "$(command -v busybox)" "$w/initrd/bin/"
for module in virtio_pci virtio_blk; do
  modprobe -d "$w/root" -S "$version" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
done | awk '!seen[$0]++' | while read -r file; do
  cp "$file" "$w/initrd/"
  echo "/bin/busybox insmod /$(basename "$file")"
done >"$w/modules"
{
  printf '#!/bin/busybox sh\n/bin/busybox mount -t devtmpfs dev /dev\n'
  cat "$w/modules"
  # The disk comes up a moment after its module; one that has not come in two minutes will not.
  cat <<'WAIT'
n=0
until /bin/busybox mount -t ext4 /dev/vda /root; do
  n=$((n + 1))
  [ $n -lt 120 ] || exec /bin/busybox poweroff -f
  /bin/busybox sleep 1
done
WAIT
  printf 'exec /bin/busybox switch_root /root /sbin/init\n'
} >"$w/initrd/init"
chmod +x "$w/initrd/init"
(cd "$w/initrd" && find . | cpio -o -H newc --quiet) >"$w/initrd.img"
truncate -s 3G "$w/disk"
mkfs.ext4 -q -d "$w/root" "$w/disk"
rm -rf "$w/root"

status=0
timeout --foreground --kill-after=10 3600 qemu-system-x86_64 -nodefaults -display none -no-reboot -accel "${FARBOOT_LAB_ACCEL:-tcg,thread=multi}" \
  -smp 2 -m 1024 -kernel "$kernel/boot/vmlinuz-$version" -initrd "$w/initrd.img" \
  -append "console=ttyS0 no_timer_check quiet" -drive "file=$w/disk,if=virtio,format=raw,cache=unsafe" \
  -serial "file:$w/console.log" -serial "file:$w/walk.log" -device virtio-rng-pci </dev/null &
child=$!
wait $child || status=$?
child=
[ $status = 0 ] || echo "machine_test: qemu ended with $status" >&2
tr -d '\r' <"$w/walk.log" >"$w/walk.txt"
judge "$w/walk.txt" "$w/console.log"
