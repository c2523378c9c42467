#!/bin/sh
# Make this server a cluster of one node: k3s, at a version whose files are known by their checksums.
#
# `dppctl init kamatera` has Kamatera run it at the server's first start, as root; a second run changes nothing.
# How far it is stands in /var/lib/dppctl/state, which dppctl reads over ssh: "installing …", "failed …" or "ready".
set -eu
umask 077

VERSION='__VERSION__'
BINARY_SHA256='__BINARY_SHA256__'
INSTALLER_SHA256='__INSTALLER_SHA256__'
RELEASE="https://github.com/k3s-io/k3s/releases/download/$(printf %s "$VERSION" | sed 's/+/%2B/')"
SOURCE="https://raw.githubusercontent.com/k3s-io/k3s/$(printf %s "$VERSION" | sed 's/+/%2B/')"
STATE=/var/lib/dppctl/state

mkdir -p /var/lib/dppctl
step='begin'

state() {
  printf '%s\n' "$*" >"$STATE.part"
  mv "$STATE.part" "$STATE"
}

fail() {
  state "failed $*"
  echo "dppctl: $*" >&2
  trap - EXIT
  exit 1
}

begin() {
  step=$1
  state "installing $1"
}

# put FILE MODE: write what comes by stdin, whole; return 1 when FILE had that already.
put() {
  cat >"$1.dppctl"
  chmod "$2" "$1.dppctl"
  if cmp -s "$1.dppctl" "$1"; then
    rm "$1.dppctl"
    return 1
  fi
  mv "$1.dppctl" "$1"
}

# download URL FILE SHA256
download() {
  curl --fail --silent --show-error --location --proto '=https' --tlsv1.2 --retry 5 --retry-delay 5 \
    --output "$2" "$1" || fail "$1 cannot be downloaded"
  echo "$3  $2" | sha256sum -c >/dev/null 2>&1 || fail "$1 is not the file that dppctl knows: its checksum differs"
}

is_installed() {
  [ "$(cat "$STATE" 2>/dev/null)" = ready ] && command -v k3s >/dev/null && k3s --version | grep -qF "$VERSION"
}

if is_installed; then
  echo "k3s $VERSION is installed"
  exit 0
fi
trap 'fail "it ended at: $step"' EXIT

# The machine's own ssh key, by which dppctl knows it; people log in by their key only.
begin 'ssh'
if put /etc/ssh/ssh_host_ed25519_key 600 <<'KEY'; then
__HOST_KEY__
KEY
  put /etc/ssh/ssh_host_ed25519_key.pub 644 <<'KEY' || true
__HOST_PUBLIC_KEY__
KEY
  mkdir -p /etc/ssh/sshd_config.d
  echo 'PasswordAuthentication no' | put /etc/ssh/sshd_config.d/10-dppctl.conf 644 || true
  systemctl restart ssh || systemctl restart sshd
fi

# Nothing but ssh, http, https and Kubernetes' API is reached from outside, NodePorts neither: they would be
# translated after this chain. What goes out, and its answers, is not touched.
begin 'firewall'
command -v nft >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -yqq nftables; }
route=$(ip -4 route get 1.1.1.1)
wan=$(printf %s "$route" | sed -n 's/.* dev \([^ ]*\).*/\1/p')
address=$(printf %s "$route" | sed -n 's/.* src \([^ ]*\).*/\1/p')
if [ -z "$wan" ] || [ -z "$address" ]; then fail 'it has no address on the Internet'; fi
mkdir -p /etc/dppctl
put /etc/dppctl/firewall.nft 600 <<RULES || true
table inet dppctl
delete table inet dppctl
table inet dppctl {
  chain arriving {
    type filter hook prerouting priority mangle; policy accept;
    iifname != "$wan" accept
    ct state established,related accept
    meta l4proto { icmp, ipv6-icmp } accept
    udp dport { 68, 546 } accept
    tcp dport { 22, 80, 443, 6443 } accept
    drop
  }
}
RULES
put /etc/systemd/system/dppctl-firewall.service 644 <<UNIT || true
[Unit]
Description=Close all ports but 22, 80, 443 and 6443
Wants=network-pre.target
Before=network-pre.target k3s.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=$(command -v nft) -f /etc/dppctl/firewall.nft

[Install]
WantedBy=multi-user.target
UNIT
if command -v ufw >/dev/null; then ufw disable; fi
systemctl daemon-reload
systemctl enable --now dppctl-firewall.service

begin "k3s $VERSION"
work=$(mktemp -d)
download "$RELEASE/k3s" "$work/k3s" "$BINARY_SHA256"
download "$SOURCE/install.sh" "$work/install.sh" "$INSTALLER_SHA256"
mkdir -p /etc/rancher/k3s
put /etc/rancher/k3s/config.yaml 600 <<CONFIG || true
tls-san: ["$address"]
write-kubeconfig-mode: "0600"
CONFIG
mkdir -p /usr/local/bin
install -m 755 "$work/k3s" /usr/local/bin/k3s
INSTALL_K3S_SKIP_DOWNLOAD=true INSTALL_K3S_SKIP_SELINUX_RPM=true sh "$work/install.sh"
rm -r "$work"

begin 'the start of k3s'
tries=0
until k3s kubectl wait --for=condition=Ready node --all --timeout=10s >/dev/null 2>&1; do
  tries=$((tries + 1))
  [ "$tries" -lt 60 ] || fail "k3s does not get ready; journalctl -u k3s says more"
  sleep 5
done
trap - EXIT
state ready
