#include <iostream>

#include "controller/cli/cli.h"

int main(int argc, char** argv) {
  farboot::Terminal terminal = farboot::standard_terminal();
  return farboot::run_cli(argc, argv, terminal);
}
