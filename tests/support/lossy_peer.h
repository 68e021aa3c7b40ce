// A TFTP client behind a bad line, with a clock of its own: drops, doubles, reorders, by a seed.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "agent/tftp/peer.h"
#include "common/base/bytes.h"
#include "common/wire/tftp.h"

namespace farboot {

struct LossyLine {
  std::uint32_t seed = 1;
  double drop = 0;     ///< share of packets, each way
  double twice = 0;    ///< share that arrives twice
  double reorder = 0;  ///< share that is late by up to two more trips
  std::chrono::microseconds one_way{500};
  /// Packets that wait for the line toward the client, at most; what comes beyond is lost. 0: no
  /// end.
  std::size_t queue_packets = 0;
  std::chrono::microseconds packet_time{125};  ///< that each takes of the line then
};

struct LossyClient {
  std::uint32_t block_bytes = 512;
  std::uint32_t window_blocks = 1;
  bool asked_options = false;     ///< waits for an OACK and acknowledges it with 0
  bool acks_every_stray = false;  ///< EDK2: an ACK for every packet out of order
  bool acks_last_again = false;   ///< iPXE, GRUB: an ACK for the last block when it comes again
  std::chrono::milliseconds resend{1000};
  bool silent = false;                           ///< never says a word
  std::optional<std::uint64_t> error_at_block;   ///< sends ERROR instead of that ACK
  std::optional<std::uint64_t> silent_at_block;  ///< from here on
};

class LossyPeer final : public TftpPeer {
 public:
  using Micros = std::chrono::microseconds;

  LossyPeer(LossyLine line, LossyClient client)
      : line_(line), client_(client), random_(line.seed) {}

  void send(std::span<const TftpPacket> packets) override {
    for (const TftpPacket& packet : packets) {
      Bytes bytes(packet.header.begin(),
                  packet.header.begin() + static_cast<std::ptrdiff_t>(packet.header_bytes));
      bytes.insert(bytes.end(), packet.payload.begin(), packet.payload.end());
      sent_.push_back({now_, bytes});
      carry(std::move(bytes), Toward::client);
    }
  }

  Task<TftpArrival> receive(SteadyTime deadline) override {
    TftpArrival arrival;
    while (true) {
      const auto event = events_.begin();
      const bool timer = timer_at_ && (event == events_.end() || *timer_at_ < event->first);
      if (!timer && event == events_.end()) break;
      const SteadyTime when = std::max(timer ? *timer_at_ : event->first, now_);
      if (when > std::max(deadline, now_)) break;
      now_ = when;
      if (timer) {
        on_timer();
        continue;
      }
      Event what = std::move(event->second);
      events_.erase(event);
      if (what.kind == Kind::to_client) {
        on_packet(what.bytes);
      } else {
        inbox_ = std::move(what.bytes);
        arrival.what = TftpArrival::What::packet;
        arrival.bytes = inbox_;
        co_return arrival;
      }
    }
    now_ = std::max(now_, deadline);
    co_return arrival;
  }

  SteadyTime now() const override { return now_; }

  struct Sent {
    SteadyTime when;
    Bytes bytes;
  };
  const std::vector<Sent>& sent() const { return sent_; }
  /// What the client has of the file, and whether it saw the last block.
  const Bytes& content() const { return content_; }
  bool complete() const { return complete_; }
  /// Packets sent of one kind.
  std::size_t sent_count(tftp::Opcode operation) const {
    return static_cast<std::size_t>(
        std::count_if(sent_.begin(), sent_.end(),
                      [operation](const Sent& s) { return tftp::opcode(s.bytes) == operation; }));
  }
  std::chrono::milliseconds elapsed() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(now_ - SteadyTime());
  }
  /// From now on every packet takes this long each way.
  void set_one_way(Micros time) { line_.one_way = time; }
  /// Loses every packet that satisfies it, besides what chance takes; counts as sent.
  std::function<bool(ByteView packet, std::size_t number)> lose;
  /// The same of what the client says.
  std::function<bool(ByteView packet)> lose_answer;
  /// A packet to the sender at a time of the test's choosing.
  void inject(Bytes packet, Micros after) {
    events_.emplace(now_ + after, Event{.kind = Kind::to_server, .bytes = std::move(packet)});
  }

 private:
  enum class Kind : std::uint8_t {
    to_client,
    to_server
  };
  enum class Toward : std::uint8_t {
    client,
    server
  };
  struct Event {
    Kind kind = Kind::to_client;
    Bytes bytes;
  };

  bool chance(double share) { return std::uniform_real_distribution<>(0, 1)(random_) < share; }

  void carry(Bytes bytes, Toward toward) {
    const Kind kind = toward == Toward::client ? Kind::to_client : Kind::to_server;
    if (toward == Toward::client && lose && lose(bytes, sent_.size())) return;
    if (toward == Toward::server && lose_answer && lose_answer(bytes)) return;
    if (chance(line_.drop)) return;
    Micros queued{0};
    if (toward == Toward::client && line_.queue_packets > 0) {
      line_free_ = std::max(line_free_, now_);
      if (line_free_ - now_ >= line_.packet_time * line_.queue_packets) return;
      line_free_ += line_.packet_time;
      queued = std::chrono::duration_cast<Micros>(line_free_ - now_);
    }
    const int copies = chance(line_.twice) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      Micros delay = line_.one_way + queued;
      if (chance(line_.reorder))
        delay += Micros(std::uniform_int_distribution<long>(0, 4 * line_.one_way.count())(random_));
      events_.emplace(now_ + delay, Event{.kind = kind, .bytes = bytes});
    }
  }

  void say(Bytes packet) {
    carry(std::move(packet), Toward::server);
    restart_timer();
  }
  void restart_timer() { timer_at_ = now_ + client_.resend; }
  void on_timer() {
    timer_at_.reset();
    if (!complete_ && !ended_) acknowledge();  // of what it has by now, RFC 7440 §4
  }
  void acknowledge() {
    in_window_ = 0;
    gap_reported_ = false;
    const auto ack = tftp::encode_ack(static_cast<std::uint16_t>(block_));
    say({ack.begin(), ack.end()});
  }

  void on_packet(ByteView packet) {
    if (client_.silent || ended_) return;
    if (tftp::opcode(packet) == tftp::Opcode::oack) {
      if (block_ == 0) acknowledge();
      return;
    }
    const auto data = tftp::decode_data(packet);
    if (!data) return;
    if (data->block != static_cast<std::uint16_t>(block_ + 1)) {
      if (client_.acks_every_stray) {
        acknowledge();
      } else if (client_.window_blocks > 1 && !gap_reported_ &&
                 static_cast<std::uint16_t>(data->block - block_ - 1) < 0x8000) {
        acknowledge();
        gap_reported_ = true;
      } else if (complete_ || (client_.acks_last_again && block_ > 0 &&
                               data->block == static_cast<std::uint16_t>(block_))) {
        acknowledge();
      }
      return;
    }
    if (client_.silent_at_block && block_ + 1 >= *client_.silent_at_block) {
      ended_ = true;
      return;
    }
    ++block_;
    content_.insert(content_.end(), data->payload.begin(), data->payload.end());
    gap_reported_ = false;
    if (client_.error_at_block && block_ >= *client_.error_at_block) {
      ended_ = true;
      carry(tftp::encode_error(tftp::ErrorCode::option_refused, "User aborted the transfer"),
            Toward::server);
      return;
    }
    complete_ = data->payload.size() < client_.block_bytes;
    if (++in_window_ >= client_.window_blocks || complete_)
      acknowledge();
    else
      restart_timer();
  }

  LossyLine line_;
  LossyClient client_;
  std::mt19937 random_;
  SteadyTime now_;
  SteadyTime line_free_;
  std::multimap<SteadyTime, Event> events_;
  std::vector<Sent> sent_;
  Bytes inbox_;

  std::uint64_t block_ = 0;
  std::uint32_t in_window_ = 0;
  bool gap_reported_ = false;
  bool complete_ = false;
  bool ended_ = false;
  Bytes content_;
  std::optional<SteadyTime> timer_at_;
};

}  // namespace farboot
