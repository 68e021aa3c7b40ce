#!/usr/bin/env bash
# diy.sh up SITE TREE | down SITE: the hand-made netboot server this product replaces, on the site's pi: dnsmasq as
# proxyDHCP + TFTP and nginx for HTTP. It proves the lab when the product is in doubt, and is what we compare with.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
lab=${FARBOOT_LAB:-${TMPDIR:-/tmp}/farboot-lab}
export FARBOOT_LAB=$lab
[ $# -ge 2 ] || { sed -n '2,3s/^# //p' "$0"; exit 2; }
eval "$("$here/site.sh" env "$2")"
S=$lab/site/$NAME D=$lab/site/$NAME/diy

stop() {
  [ -s "$1" ] || return 0
  kill "$(cat "$1")" 2>/dev/null || true
  rm -f "$1"
}
if [ "$1" = down ]; then
  stop "$S/diy-dnsmasq.pid"
  stop "$S/diy-nginx.pid"
  exit
fi
tree=$(cd "$3" && pwd)
mkdir -p "$D/www/centos/7" "$D/tmp"
cp -L /usr/lib/ipxe/undionly.kpxe /usr/lib/ipxe/ipxe.efi "$D/www/"
ln -sfn "$tree" "$D/www/centos/7/x86_64"
sed "s|@BASE@|http://$PI|g" "$tree/ks.cfg" >"$D/www/ks.cfg"
cat >"$D/www/menu.conf" <<E
#!ipxe
    set menu-timeout 3000
    set menu-default centos7
    isset \${ip} || dhcp
    menu iPXE Boot Menu --\${ip}
    item centos7        Boot CentOS
    item local          Boot from the local disk
    item shell          Boot iPXE Shell
    choose --timeout \${menu-timeout} --default \${menu-default} selected
    goto \${selected}
:centos7
    set base http://$PI/centos/7/x86_64
    kernel \${base}/images/pxeboot/vmlinuz initrd=initrd.img ip=dhcp ks=http://$PI/ks.cfg repo=\${base} kssendmac console=tty0 console=ttyS0
    initrd \${base}/images/pxeboot/initrd.img
    boot
:local
    exit
:shell
    shell
E
cat >"$D/dnsmasq.conf" <<E
port=0
dhcp-range=$NET,proxy
dhcp-match=set:ipxe,175
dhcp-boot=tag:!ipxe,undionly.kpxe,$PI
dhcp-boot=tag:ipxe,http://$PI/menu.conf,$PI,$PI
pxe-service=tag:!ipxe,x86PC,"splash",undionly.kpxe
pxe-service=tag:!ipxe,X86-64_EFI,"splash",ipxe.efi
pxe-service=tag:!ipxe,BC_EFI,"splash",ipxe.efi
enable-tftp
tftp-root=$D/www
tftp-no-fail
log-dhcp
log-facility=$S/diy-dnsmasq.log
pid-file=$S/diy-dnsmasq.pid
user=root
E
cat >"$D/nginx.conf" <<E
user root;
pid $S/diy-nginx.pid;
error_log $S/diy-nginx-error.log;
events { worker_connections 1024; }
http {
  access_log $S/diy-nginx-access.log; sendfile on; tcp_nopush on; keepalive_requests 10000;
  client_body_temp_path $D/tmp; proxy_temp_path $D/tmp; fastcgi_temp_path $D/tmp; uwsgi_temp_path $D/tmp; scgi_temp_path $D/tmp;
  server { listen 80; root $D/www; default_type application/octet-stream; autoindex on;
           location /phone-home { return 204; } }
}
E
ip netns exec "$PINS" dnsmasq --conf-file="$D/dnsmasq.conf"
ip netns exec "$PINS" nginx -c "$D/nginx.conf" 2>/dev/null
for _ in $(seq 100); do
  if ip netns exec "$PINS" ss -Hltn 'sport = 80' | grep -q . && [ -s "$S/diy-dnsmasq.pid" ]; then exit 0; fi
  sleep .05
done
echo "diy.sh: the servers did not start" >&2
exit 1
