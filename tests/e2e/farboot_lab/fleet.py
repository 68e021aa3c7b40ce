"""Writes a fleet directory, as an operator would keep it in git."""
import os

KICKSTART = """# {{site.name}}: unattended, to be answered by nobody
install
url --url="{{image.url}}"
text
firstboot --disable
ignoredisk --only-use=vda
keyboard --vckeymap=us --xlayouts=''
lang en_US.UTF-8
network --bootproto=dhcp --device=eth0 --activate
rootpw --iscrypted $1$.iNc/OT7$5cYmijQ4G5pBjxC8sgAIJ/
timezone {{timezone}}
bootloader --location=mbr --boot-drive=vda
clearpart --all --initlabel --drives=vda
autopart --type=lvm
reboot

%packages
@core
chrony
kexec-tools
%end

%post --log=/root/ks-post.log
curl -fsS "{{event.url}}?event=installed&detail=$(cat /etc/lab-installed)"
%end
"""

ENTRIES = """entries:
  centos7:
    title: CentOS 7
    image: centos7@1708
    kickstart: base
    args: "no_timer_check console=tty0 console=ttyS0"
    args_style: {style}
  shell: {{kind: shell, title: iPXE shell}}
  local: {{kind: local, title: Boot from the local disk}}
"""


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def host_yaml(name, known_by, entry="centos7", install=True):
    """`known_by`: a MAC, or `serial: NUMBER`."""
    known = known_by if known_by.startswith("serial:") else f'macs: ["{known_by}"]'
    return (f"  {name}:\n    {known}\n    entry: {entry}\n    install: {'true' if install else 'false'}\n")


def write_fleet(folder, hosts=None, site="lyon", style="inst", timeout=10, default="local", entries="centos7, shell, local",
                kickstart=KICKSTART, title="Farboot {{site.name}}", limits="", variables=""):
    """`hosts`: {name: what it is known by} to be installed. Returns the folder."""
    write(os.path.join(folder, "fleet.yaml"),
          f'variables: {{timezone: Asia/Shanghai}}\nmenu:\n  title: "{title}"\n  timeout: {timeout}\n  default: {default}\n'
          f"  entries: [{entries}]\n" + ENTRIES.format(style=style))
    text = "labels: {region: eu}\n" + (f"limits: {limits}\n" if limits else "") + (f"variables: {variables}\n" if variables else "")
    if hosts:
        text += "hosts:\n" + "".join(host_yaml(name, known_by) for name, known_by in hosts.items())
    write(os.path.join(folder, "sites", f"{site}.yaml"), text)
    write(os.path.join(folder, "kickstarts", "base.ks"), kickstart)
    return folder
