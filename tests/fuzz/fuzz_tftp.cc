#include <cstddef>
#include <cstdint>

#include "agent/tftp/negotiate.h"
#include "agent/tftp/path.h"
#include "common/base/check.h"
#include "common/wire/tftp.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace farboot;
  const ByteView packet(bytes, size);
  static_cast<void>(tftp::decode_data(packet));
  static_cast<void>(tftp::decode_ack(packet));
  static_cast<void>(tftp::decode_error(packet));
  static_cast<void>(tftp::decode_oack(packet));
  const auto request = tftp::decode_request(packet);
  if (!request) return 0;
  FARBOOT_CHECK(!request->path.empty());
  if (const auto path = normalise_tftp_path(request->path)) {
    FARBOOT_CHECK(!path->empty() && path->front() != '/' && path->back() != '/');
    FARBOOT_CHECK(("/" + *path + "/").find("/../") == std::string::npos);
    FARBOOT_CHECK(path->find('\\') == std::string::npos);
    FARBOOT_CHECK(normalise_tftp_path(*path).value() == *path);
  }
  const TftpTransfer terms = negotiate(*request, 12345, {});
  FARBOOT_CHECK(terms.oack.size() <= 4 && terms.block_bytes >= tftp::kBlockBytesMin &&
                terms.block_bytes <= 1468);
  FARBOOT_CHECK(terms.window_blocks >= 1 && terms.window_blocks <= 64);
  return 0;
}
