// Lines that iPXE scripts share. Private to agent/boot.
#pragma once

#include <string>
#include <string_view>

#include "agent/boot/answer.h"

namespace farboot {

/// First lines of every script; `what` it is stands in a comment.
std::string script_head(const ScriptFrame& frame, std::string_view what);
/// The lines that end in the local disk.
std::string local_lines(const ScriptFrame& frame);

/// render_menu.cc
std::string menu_script(const ScriptFrame& frame, const MenuPage& page);

}  // namespace farboot
