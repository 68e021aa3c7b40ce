#include "agent/tftp/batch_sender.h"

#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace farboot {
namespace {

using Parts = std::array<iovec, 2>;

constexpr std::size_t kJoinedBytesMax = 65'000;  ///< of what is sent as one: an IP packet's length

std::size_t size_of(const TftpPacket& packet) {
  return packet.header_bytes + packet.payload.size();
}

Parts parts_of(const TftpPacket& packet) {
  return {iovec{.iov_base = const_cast<std::uint8_t*>(packet.header.data()),
                .iov_len = packet.header_bytes},
          iovec{.iov_base = const_cast<std::uint8_t*>(packet.payload.data()),
                .iov_len = packet.payload.size()}};
}

/// How many of the first packets may go as one: all of one size, the last may be shorter.
std::size_t run_length(std::span<const TftpPacket> packets) {
  const std::size_t size = size_of(packets.front());
  std::size_t joined = size, count = 1;
  while (count < packets.size()) {
    const std::size_t next = size_of(packets[count]);
    if (next > size || next == 0 || joined + next > kJoinedBytesMax) break;
    joined += next;
    ++count;
    if (next < size) break;
  }
  return count;
}

/// The card cannot (EIO), or the path carries less than the card (EINVAL, EMSGSIZE); packet by
/// packet it may go.
bool refuses_segments(int error) { return error == EIO || error == EINVAL || error == EMSGSIZE; }

}  // namespace

bool BatchSender::send_each(int fd, std::span<const TftpPacket> packets) {
  std::array<Parts, kTftpBatchMax> parts;
  std::array<mmsghdr, kTftpBatchMax> messages{};
  for (std::size_t i = 0; i < packets.size(); ++i) {
    parts[i] = parts_of(packets[i]);
    messages[i].msg_hdr.msg_name = &to_;
    messages[i].msg_hdr.msg_namelen = sizeof to_;
    messages[i].msg_hdr.msg_iov = parts[i].data();
    messages[i].msg_hdr.msg_iovlen = parts[i].size();
  }
  for (std::size_t at = 0; at < packets.size();) {
    const int sent =
        ::sendmmsg(fd, messages.data() + at, static_cast<unsigned>(packets.size() - at), 0);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    at += static_cast<std::size_t>(sent);
  }
  return true;
}

bool BatchSender::send_as_one(int fd, std::span<const TftpPacket> packets) {
  std::array<Parts, kTftpBatchMax> parts;
  std::transform(packets.begin(), packets.end(), parts.begin(), parts_of);
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> control{};
  msghdr message{};
  message.msg_name = &to_;
  message.msg_namelen = sizeof to_;
  message.msg_iov = parts.front().data();
  message.msg_iovlen = 2 * packets.size();
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_UDP;
  header->cmsg_type = UDP_SEGMENT;
  header->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
  const auto size = static_cast<std::uint16_t>(size_of(packets.front()));
  std::memcpy(CMSG_DATA(header), &size, sizeof size);
  while (::sendmsg(fd, &message, 0) < 0) {
    if (errno == EINTR) continue;
    if (!refuses_segments(errno)) return false;
    segments_ = false;
    return send_each(fd, packets);
  }
  return true;
}

bool BatchSender::send(int fd, std::span<const TftpPacket> packets) {
  bool good = true;
  while (!packets.empty()) {
    const auto batch = packets.first(std::min(packets.size(), kTftpBatchMax));
    const std::size_t count = segments_ ? run_length(batch) : batch.size();
    const auto now = batch.first(count);
    good = (segments_ && count > 1 ? send_as_one(fd, now) : send_each(fd, now)) && good;
    packets = packets.subspan(count);
  }
  return good;
}

}  // namespace farboot
